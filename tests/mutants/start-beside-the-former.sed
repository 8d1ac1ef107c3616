# test: server-processes
# file: driver/device.c
s/ubdx_dev_has_former(dev) ||/false ||/
