# test: forward
# file: driver/server.c
/ubdx_backings_close(srv);/d
