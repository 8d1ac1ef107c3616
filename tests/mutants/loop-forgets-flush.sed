# test: operations
# file: userspace/targets/loop.c
s/step->kind = UBDX_STEP_SYNC;/step->kind = UBDX_STEP_DONE;/
