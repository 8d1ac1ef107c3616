# test: operations
# file: driver/end.c
s/counter->requests++;/counter->requests += 2;/
