# test: uapi
# file: driver/end.c
s/result.bytes < blk_rq_bytes(rq)/false/
