# test: regbuf
# file: driver/chan.c
# kernel: backports
s/ubdx_xfer_detach(&ctx);/(void)\&ctx;/
