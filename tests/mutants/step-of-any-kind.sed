# test: unit:steps
# file: userspace/lib/step.c
s/unlikely(step->kind >= UBDX_NR_STEPS)/unlikely((step->kind \& 255) >= UBDX_NR_STEPS)/
