# test: uapi
# file: driver/chan_uring.c
s/(slot, seq, UBDX_SLOT_SERVER)/(slot, ubdx_slot_seq(slot), UBDX_SLOT_SERVER)/
