# test: stops
# file: driver/stop.c
s/if (!(how->flags & UBDX_CTL_FORCE))/if (false)/
