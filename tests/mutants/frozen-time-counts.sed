# test: lateness
# file: driver/tick.c
s/smp_load_acquire(&ubdx_frozen)/false/
