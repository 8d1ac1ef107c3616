# test: fallbacks
# file: driver/xfer_copy.c
s/return _copy_to_iter(/return copy_to_iter(/
