# test: batches
# file: driver/chan_uring.c
s/define UBDX_DELIVER_BYTES SZ_64K/define UBDX_DELIVER_BYTES SZ_1G/
