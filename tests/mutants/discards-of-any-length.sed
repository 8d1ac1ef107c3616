# test: uapi
# file: driver/device.c
s/max(p->discard_granularity, p->physical_block_size)/p->discard_granularity/
