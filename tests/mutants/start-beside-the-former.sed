# test: server-processes
# file: driver/device.c
s/return ubdx_dev_has_former(dev) ? -ETIME : 0/return 0/
