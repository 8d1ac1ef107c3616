# The error about a locked file doesn't say who has locked it.
# test: recovery
# file: userspace/targets/loop.c
s/found = pid;/found = 0;/
