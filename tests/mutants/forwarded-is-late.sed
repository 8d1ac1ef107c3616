# Time that the driver's own I/O takes counts as the server's.
# test: forward
# file: driver/tick.c
s/ || state == UBDX_SLOT_IO)/)/
