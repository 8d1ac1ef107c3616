# test: modes
# file: driver/xfer.c
s/(!xfer->refuse || offered & BIT_ULL(UBDX_XFER_USER))/true/
