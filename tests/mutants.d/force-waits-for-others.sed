# test: corners
# file: driver/device.c
s/int ret = force ? ubdx_dev_cut_short(dev, owner) : 0;/int ret = 0;/
