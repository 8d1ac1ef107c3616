# test: poison
# file: driver/xfer_map.c
s/if ((offset || offset_in_page(bytes)) && !allow_partial)/if (false)/
