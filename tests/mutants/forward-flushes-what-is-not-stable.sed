# A stable WRITE of the target's is forwarded though the request has no FUA.
# test: unit:steps
# file: strategies/forward.c
/if (step->flags & UBDX_STEP_DSYNC/s/if (.*/if (false)/
