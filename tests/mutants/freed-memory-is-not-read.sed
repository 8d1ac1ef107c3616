# The error that KASAN is to see isn't made.
# kernel: stable-debug
# test: detectors
# file: tests/modules/ubdx_errors.c
/^static void read_freed(void)/,/^}/ s/^\tkfree(p);$//
