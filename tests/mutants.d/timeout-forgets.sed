# test: death
# file: driver/end.c
s/bool late = ubdx_is_late(q, slot);/const bool late = false;/
