# test: corners
# file: driver/xfer_copy.c
s/if (!ubdx_hand_over(sq, slot, from))/if (0)/
s/return ubdx_slot_claim_used(slot, seq, from) ? ret : -ENODEV;/return ret;/
