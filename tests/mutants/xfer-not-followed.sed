# test: switching
# file: driver/xfer.c
s/ubdx_dev_for_each(ubdx_xfer_update);/;/
