# The server may be killed when memory is short.
# test: memory-pressure
# file: userspace/lib/process.c
s/"-1000"/"-999"/
