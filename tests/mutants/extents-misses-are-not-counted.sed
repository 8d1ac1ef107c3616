# The visible disk's statistics lack what comes to the server.
# test: extents
# file: driver/front.c
s/return slot->op != UBDX_OP_FLUSH;/return false;/
