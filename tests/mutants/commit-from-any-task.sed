# test: uapi
# file: driver/chan.h
s/return READ_ONCE(srvq->task) == current \&\& .*/return true;/
