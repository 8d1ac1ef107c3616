# A successor starts while I/O that a dead server has forwarded is under way.
# test: forward
# file: driver/device.c
s/ubdx_dev_has_former(dev) || ubdx_dev_forwards(dev)/ubdx_dev_has_former(dev)/
