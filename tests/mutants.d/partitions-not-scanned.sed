# test: partitions
# file: driver/scan.c
s/queue_work(ubdx_scan_wq, &dev->scan_work);/;/
