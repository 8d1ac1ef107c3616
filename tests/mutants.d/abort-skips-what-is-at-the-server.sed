# test: death
# file: driver/blk.c
/^void ubdx_abort_queue/,/^}/s/ubdx_slot_claim_used(slot, seq, UBDX_SLOT_SERVER)/false/
