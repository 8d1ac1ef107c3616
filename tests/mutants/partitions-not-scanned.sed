# test: partitions
# file: driver/scan.c
s/queue_work(ubdx_io_wq, &dev->scan_work);/;/
