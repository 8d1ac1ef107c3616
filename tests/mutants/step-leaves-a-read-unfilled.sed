# test: unit:steps
# file: userspace/lib/step.c
s/desc->op <= UBDX_OP_WRITE && !(step->flags/false \&\& !(step->flags/
