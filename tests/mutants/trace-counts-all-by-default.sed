# ubdx-trace attaches every probe by default.
# test: ubdx-trace-cost
# file: ebpf/ubdx-trace.c
s/\.sets = SET_CPU,/.sets = ~0U,/
