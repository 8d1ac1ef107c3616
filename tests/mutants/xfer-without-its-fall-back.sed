# test: modes
# file: driver/xfer.c
s/(!xfer->falls_back || offered & BIT_ULL(UBDX_XFER_USER))/true/
