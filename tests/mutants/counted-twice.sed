# test: operations
# file: driver/end.c
s/this_cpu_inc(counter->requests);/this_cpu_add(counter->requests, 2);/
