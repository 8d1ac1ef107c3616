# test: death
# file: driver/blk.c
s/bool late = ubdx_late(q, ubdx_age(slot));/const bool late = false;/
