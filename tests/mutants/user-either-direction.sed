# test: modes
# file: driver/access.c
s/slot->op != op/false/
