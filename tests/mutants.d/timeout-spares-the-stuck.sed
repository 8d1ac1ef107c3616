# test: death-matrix
# file: driver/blk.c
/enum blk_eh_timer_return ubdx_timeout/,/^}/s/ubdx_server_kill(.*/;/
