# test: segments
# file: driver/xfer.c
# kernel: backports
s/& slot->q->block_mask)$/\& 0)/
s/bv_offset & slot->q->block_mask)/bv_offset \& 0)/
