# test: limits
# file: driver/blk.c
s/dev->params.attrs & UBDX_ATTR_READ_ONLY ? ubdx_ops_read_only : ubdx_ops/ubdx_ops/
