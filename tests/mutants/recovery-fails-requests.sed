# test: recovery
# file: driver/end.c
s/(!delivered || q->dev->params.recovery == UBDX_RECOVERY_REISSUE)/false/
