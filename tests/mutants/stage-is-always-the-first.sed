# test: tracing
# file: driver/trace.c
s/\.stage = stage,/.stage = 0,/
