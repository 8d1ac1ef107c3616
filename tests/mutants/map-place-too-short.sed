# test: fallbacks
# file: driver/xfer_map.c
s/if (PAGE_ALIGN(offset + bytes) > .*/if (false)/
