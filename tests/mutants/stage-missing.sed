# test: tracing
# file: driver/stage.h
s/__ubdx_stage(q, slot, UBDX_T_COMMIT, ktime_get_ns());/;/
