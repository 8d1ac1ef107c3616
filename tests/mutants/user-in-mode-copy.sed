# test: modes
# file: driver/access.c
s/!(slot->xfer->access & access)/false/
