# ubdx-trace takes the counting clock for a real one.
# test: ubdx-trace-count
# file: ebpf/ubdx-trace.c
s/!strcmp(clock, "count")/!strcmp(clock, "instructions")/
