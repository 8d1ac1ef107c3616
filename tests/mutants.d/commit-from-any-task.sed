# test: uapi
# file: driver/chan_uring.c
s/return READ_ONCE(sq->task) == current \&\& .*/return true;/
