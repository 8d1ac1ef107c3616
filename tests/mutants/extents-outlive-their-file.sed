# The extents of a file that was removed are used.
# test: extents
# file: driver/backing.c
/ubdx_map_forget_file(srv, index);/d
