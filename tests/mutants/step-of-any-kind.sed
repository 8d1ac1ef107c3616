# test: unit:steps
# file: userspace/lib/step.c
s/desc->op >= UBDX_NR_OPS || step->kind >= UBDX_NR_STEPS/desc->op >= UBDX_NR_OPS || (step->kind \& 255) >= UBDX_NR_STEPS/
