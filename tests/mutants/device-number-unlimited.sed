# test: parameters
# file: driver/device.c
s/ubdx_nr_devs >= READ_ONCE(ubdx_max_devices)/false/
