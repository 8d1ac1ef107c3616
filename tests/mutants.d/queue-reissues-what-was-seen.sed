# test: death-matrix
# file: driver/blk.c
s/(!seen || q->dev->params.recovery == UBDX_RECOVERY_REISSUE)/1/
