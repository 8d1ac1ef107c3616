# test: operations
# file: driver/chan.h
s/flags |= UBDX_DESC_FUA;/;/
