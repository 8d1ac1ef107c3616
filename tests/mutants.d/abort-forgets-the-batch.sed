# test: windows
# file: driver/blk.c
/^void ubdx_abort_batch/,/^}/s/ubdx_end_batch(sq);//
