# test: ubdx-trace
# file: ebpf/ubdx-trace.bpf.c
s/^\t\tshift = 10;/\t\tshift = 9;/
