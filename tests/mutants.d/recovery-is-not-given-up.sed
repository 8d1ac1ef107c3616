# test: recovery
# file: driver/recovery.c
/^void ubdx_dev_give_up/,/^}/s/ubdx_release_requests(dev);/;/
