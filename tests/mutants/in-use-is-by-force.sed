# test: stops
# file: driver/stop.c
s/bool force = how->flags & UBDX_CTL_FORCE;/bool force = how->flags;/
