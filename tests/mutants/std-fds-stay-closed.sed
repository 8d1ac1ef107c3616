# test: cli
# file: userspace/cli/main.c
s/std_fds_open();/;/
