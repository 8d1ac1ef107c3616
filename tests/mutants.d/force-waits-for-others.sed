# test: corners
# file: driver/device.c
/^int ubdx_dev_stop(/,/^}/s/if (force)/if (0)/
