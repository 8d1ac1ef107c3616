# test: modes
# file: driver/access.c
s/ || pos >> (UBDX_POS_SEQ_SHIFT + UBDX_POS_SEQ_BITS)//
