# test: modes
# file: driver/xfer_splice.c
/\.cut = ubdx_splice_cut/d
