# test: many-devices
# file: userspace/lib/server.c
s/size_t bytes = s->opts.prefault;/size_t bytes = 131072;/
