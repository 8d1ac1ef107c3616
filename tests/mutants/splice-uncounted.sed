# test: modes
# file: driver/xfer_splice.c
s/ubdx_count_moved(use.slot, UBDX_MOVED_SPLICED, ret);/;/
