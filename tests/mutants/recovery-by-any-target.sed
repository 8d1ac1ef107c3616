# test: recovery
# file: userspace/lib/server.c
s/if (opts->flags & UBDX_SERVER_OTHER_TARGET ||/if (true ||/
