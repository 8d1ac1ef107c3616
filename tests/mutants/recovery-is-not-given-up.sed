# test: recovery
# file: driver/recovery.c
/^void ubdx_dev_stop_recovering/,/^}/s/ubdx_unquiesce_queue(dev);/;/
