# test: modes
# file: driver/access.c
s/!(READ_ONCE(slot->xfer)->access \& access)/false/
