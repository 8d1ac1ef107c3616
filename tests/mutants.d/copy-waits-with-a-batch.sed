# test: corners
# file: driver/xfer_copy.c
s/^\tubdx_end_waiting(sq);/\t;/
