# test: parameters
# file: driver/sysfs.c
# make: VARIANTS=1
s/op < UBDX_NR_OPS && ubdx_xfer_name(mode)/op < UBDX_NR_OPS/
