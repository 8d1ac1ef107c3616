# test: switching
# file: driver/xfer.c
s/if (!dev->xfer_pinned)/if (true)/
