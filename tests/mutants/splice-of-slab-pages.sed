# test: fallbacks
# file: driver/xfer_splice.c
s/return UBDX_FALLBACK_SLAB;/continue;/
