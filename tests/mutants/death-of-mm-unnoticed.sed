# test: death
# file: driver/server.c
/^static void ubdx_mm_release/,/^}/s/ubdx_server_fail(.*/(void)notifier;/
