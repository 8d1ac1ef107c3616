# A bio whose file stands on its own device goes in circles.
# test: extents
# file: driver/front.c
s/atomic_read(&turns->in_flight) >= UBDX_MAX_TURNS/false/
