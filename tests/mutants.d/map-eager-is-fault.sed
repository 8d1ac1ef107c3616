# test: windows
# file: driver/xfer_map.c
s/if (READ_ONCE(ubdx_map_when) == UBDX_MAP_EAGER)/if (false)/
