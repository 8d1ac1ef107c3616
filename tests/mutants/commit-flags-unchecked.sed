# test: forward
# file: driver/chan_uring.c
s/^\tif (flags & ~(UBDX_COMMIT_MORE | UBDX_COMMIT_FORWARD | UBDX_COMMIT_EXTENTS) ||$/\tif (/
