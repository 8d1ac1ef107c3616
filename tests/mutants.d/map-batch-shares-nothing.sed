# test: windows
# file: driver/xfer_map.c
s/return ++g->nr >= READ_ONCE(ubdx_map_batch);/return true;/
