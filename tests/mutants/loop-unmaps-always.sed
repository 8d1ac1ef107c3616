# test: operations
# file: userspace/targets/loop.c
s/loop->unmap && !(desc->flags & UBDX_DESC_NOUNMAP)/loop->unmap/
