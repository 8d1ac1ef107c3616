# A file that is replaced or removed keeps its extents.
# test: extents
# file: driver/backing.c
/ubdx_map_file_changed(srv, index);/d
