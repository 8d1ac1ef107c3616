# test: uapi
# file: driver/blk.c
s/result.bytes < blk_rq_bytes(rq)/false/
