# test: death
# file: driver/blk.c
s/bool late;/const bool late = false;/
s/^\tlate = ubdx_late(q, .*/\t;/
