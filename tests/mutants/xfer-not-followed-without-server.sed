# test: switching
# file: driver/xfer.c
/^void ubdx_xfer_update/,/^}/s/if (!dev->xfer_pinned)/if (!dev->xfer_pinned \&\& dev->srv)/
