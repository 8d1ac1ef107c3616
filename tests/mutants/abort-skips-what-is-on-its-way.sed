# test: death
# file: driver/end.c
/^void ubdx_abort_queue/,/^}/s/ubdx_slot_claim(slot, seq, UBDX_SLOT_QUEUED)/false/
