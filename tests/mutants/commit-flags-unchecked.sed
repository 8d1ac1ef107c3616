# test: forward
# file: driver/chan_uring.c
/^\tif (flags & ~(UBDX_COMMIT_MORE | UBDX_COMMIT_FORWARD/{N;s/.*/\tif (/}
