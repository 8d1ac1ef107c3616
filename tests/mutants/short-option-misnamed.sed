# test: cli
# file: userspace/cli/options.c
s/^\tif (optopt)$/\tif (false)/
