# test: uapi
# file: driver/chan_uring.c
s/ || flags & ~UBDX_COMMIT_MORE//
