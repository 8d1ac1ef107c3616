# test: fuzz
# seconds: 120
# file: driver/recovery.c
/^int ubdx_dev_quiesce/,/^}/s/ubdx_dev_oust(dev);/;/
