# A request's pages stay mapped while the driver reads or writes them.
# test: forward
# file: driver/forward.c
s/if (unlikely(slot->xfer->unmap \&\& ubdx_slot_used(slot)))/if (false)/
