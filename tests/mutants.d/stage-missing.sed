# test: tracing
# file: driver/chan_uring.c
s/ubdx_stage(sq->q, slot, UBDX_T_COMMIT);/;/
