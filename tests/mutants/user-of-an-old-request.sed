# test: modes
# file: driver/access.c
s/if ((use->seq ^ .*/if (false)/
