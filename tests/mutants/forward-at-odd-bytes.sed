# An extent begins inside a block of the request.
# test: forward
# file: driver/forward.c
s/if (skip \& forward->slot->q->block_mask)/if (false)/
