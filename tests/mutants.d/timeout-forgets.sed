# test: death
# file: driver/end.c
s/bool late = ubdx_late(q, ubdx_slot_age(slot));/const bool late = false;/
