# test: recovery
# file: userspace/cli/recover.c
s/try_target(s, info) ?: ubdx_ctl_quiesce/ubdx_ctl_quiesce/
