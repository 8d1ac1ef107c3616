# test: partitions
# file: driver/device.c
s/queue_work(ubdx_scan_wq, &dev->scan_work);/;/
