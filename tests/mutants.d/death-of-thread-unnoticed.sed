# test: death
# file: driver/blk.c
s/PF_EXITING/0/
