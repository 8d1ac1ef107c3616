# `ubdx set` doesn't say that there is no server that could use the mode.
# test: switching
# file: userspace/cli/change.c
/!ret && !ubdx_ctl_info/s/UBDX_S_QUIESCED/99/
