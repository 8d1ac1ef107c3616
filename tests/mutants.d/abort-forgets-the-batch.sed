# test: windows
# file: driver/end.c
/^void ubdx_abort_batch/,/^}/s/ubdx_end_batch(sq);//
