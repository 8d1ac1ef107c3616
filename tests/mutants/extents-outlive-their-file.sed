# A file that is replaced or removed keeps its extents.
# test: extents
# file: driver/extents.c
/^int ubdx_map_swap_file/,/^}/s/ubdx_map_file_changed(map, srv, index);/;/
