# test: operations
# file: driver/blk.c
s/lim.features |= BLK_FEAT_WRITE_CACHE;/;/
