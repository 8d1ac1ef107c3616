# test: modes
# file: driver/xfer_splice.c
/\.revoke = ubdx_splice_revoke/d
