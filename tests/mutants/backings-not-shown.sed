# The server's files are not shown.
# test: forward
# file: driver/backing.c
/^int ubdx_backing_describe/,/^}/s/if (!backing)/if (backing)/
