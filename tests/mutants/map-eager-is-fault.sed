# test: windows
# file: driver/xfer_map.c
s/if (likely(READ_ONCE(ubdx_map_when) == UBDX_MAP_FAULT))/if (true)/
