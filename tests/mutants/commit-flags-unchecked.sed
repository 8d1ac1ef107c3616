# test: uapi
# file: driver/chan_uring.c
s/ || answer.flags & ~UBDX_COMMIT_MORE//
