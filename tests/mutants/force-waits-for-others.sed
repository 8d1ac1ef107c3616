# test: deletions
# file: driver/stop.c
/^int ubdx_dev_stop(/,/^}/s/ubdx_dev_cut_short(dev);/;/
