# test: modes
# file: driver/xfer_map.c
s/unmap_mapping_range(.*);/;/
