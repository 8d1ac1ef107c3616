# test: uapi
# file: driver/blk.c
s/unlikely(res > bytes)/false/
