# test: death
# file: driver/device.c
s/dev->closing = force || .*/dev->closing = true;/
