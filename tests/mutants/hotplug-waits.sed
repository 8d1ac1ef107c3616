# test: hotplug
# file: driver/blk.c
s/ | BLK_MQ_F_STACKING//
