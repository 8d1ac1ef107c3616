# test: regbuf
# file: driver/end.c
# kernel: backports
s/ubdx_xfer_recall(ctx, slot);/;/
