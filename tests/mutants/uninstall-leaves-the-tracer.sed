# test: host:install
# file: ebpf/Makefile
/rm -f.*ubdx-trace$/d
