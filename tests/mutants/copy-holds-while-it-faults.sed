# test: own-buffers
# file: driver/xfer_copy.c
s/if (!ubdx_slot_pass(srvq, slot, from))/if (0)/
s/return ubdx_slot_claim(slot, seq, from) ? ret : -ENODEV;/return ret;/
