# A dead server's extents are used.
# test: extents
# file: driver/server.c
/ubdx_map_close(srv);/d
