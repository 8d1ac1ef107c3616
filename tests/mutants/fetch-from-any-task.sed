# test: rings
# file: driver/chan_uring.c
/^\tif (!ubdx_is_attached(srvq, cmd))/s/!ubdx_is_attached(srvq, cmd)/false/
