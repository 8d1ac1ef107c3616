# test: uapi
# file: driver/end.c
s/blk_queue_disable_discard(rq->q);//
