# test: death-matrix
# file: driver/xfer_map.c
s/blank\[op\]/blank[0]/
