# test: successors
# file: driver/server.c
s/UBDX_START_SECONDS \* HZ/3600UL * HZ/
