# test: operations
# file: driver/blk.c
s/flags |= UBDX_DESC_NOUNMAP;/;/
