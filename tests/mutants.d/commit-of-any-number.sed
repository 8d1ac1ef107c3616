# test: uapi
# file: driver/chan_uring.c
s/ubdx_slot_claim(slot, seq, UBDX_SLOT_SERVER))) {/ubdx_slot_claim(slot, ubdx_slot_seq(slot), UBDX_SLOT_SERVER))) {/
