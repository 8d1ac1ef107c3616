# test: successors
# file: driver/chan_uring.c
s/claimed = !READ_ONCE(srvq->dead) \&\& ubdx_slot_claim/claimed = ubdx_slot_claim/
