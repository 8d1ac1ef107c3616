# test: regbuf
# file: driver/xfer_regbuf.c
# kernel: backports
s/ubdx_slot_add_user(slot);/;/
