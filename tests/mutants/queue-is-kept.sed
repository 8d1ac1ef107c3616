# test: reload
# file: driver/device.c
s/^\tkvfree(q);$//
