# test: death
# file: driver/end.c
s/bool late = ubdx_is_late(slot);/const bool late = false;/
