# test: fuzz
# file: driver/device.c
s/ret = dev->disk ? ubdx_dev_resume(dev) :/ret = dev->disk ? -EINVAL :/
