# test: switching
# file: driver/xfer.c
/^void ubdx_xfer_refollow/,/^}/s/if (!dev->xfer_pinned)/if (!dev->xfer_pinned \&\& dev->srv)/
