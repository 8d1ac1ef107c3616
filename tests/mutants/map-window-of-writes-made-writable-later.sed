# test: modes
# file: driver/xfer_map.c
s/(write ? VM_MAYWRITE : 0)/0/
