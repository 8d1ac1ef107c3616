# test: uapi
# file: driver/chan_uring.c
s/ubdx_end_waiting(sq);/;/
