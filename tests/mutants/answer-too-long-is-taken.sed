# test: uapi
# file: driver/end.c
s/ || res > blk_rq_bytes(slot->rq)//
