# test: stops
# file: driver/stop.c
s/ret = dev->srv == srv ? ubdx_dev_stop_locked(dev, how) : -ENODEV;/ret = ubdx_dev_stop_locked(dev, how);/
