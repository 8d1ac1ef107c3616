# A successor starts while I/O in the extents of a dead server is under way.
# test: extents
# file: driver/device.c
s/ || ubdx_map_is_busy(dev->map)//
