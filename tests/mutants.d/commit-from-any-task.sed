# test: uapi
# file: driver/chan_uring.c
s/return READ_ONCE(srvq->task) == current \&\& .*/return true;/
