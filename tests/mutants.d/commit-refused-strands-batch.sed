# test: uapi
# file: driver/chan_uring.c
s/ubdx_commit_refused(sq);/;/
