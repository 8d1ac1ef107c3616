# test: operations
# file: userspace/targets/loop.c
s/return !loop->is_block && (fstat.*/return false;/
