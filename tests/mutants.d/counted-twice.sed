# test: operations
# file: driver/blk.c
s/counter->requests++;/counter->requests += 2;/
