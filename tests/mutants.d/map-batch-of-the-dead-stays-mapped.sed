# test: windows
# file: driver/blk.c
/^void ubdx_abort_batch/,/^}/s/if (xfer)/if (false)/
