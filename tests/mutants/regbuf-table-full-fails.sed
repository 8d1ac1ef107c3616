# test: regbuf
# file: driver/xfer_regbuf.c
# kernel: backports
s/return UBDX_FALLBACK_TABLE;/return -EIO;/
