# A hole that is punched is a page longer than the DISCARD.
# test: filesystem-xfs
# file: userspace/lib/step.c
s/sqe->addr = step->length;/sqe->addr = step->length + (mode \& FALLOC_FL_PUNCH_HOLE ? 4096 : 0);/
