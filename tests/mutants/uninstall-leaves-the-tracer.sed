# test: host:install
# file: ebpf/Makefile
/rm -f.*commands/d
