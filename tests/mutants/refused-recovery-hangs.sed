# test: recovery
# file: userspace/lib/server.c
s/ubdx_workers_tell(s, UBDX_LEAVE);/ubdx_workers_tell(s, UBDX_SERVE);/
