# test: udev
# file: userspace/cli/change.c
s/now_ms() < until)/until < 0)/
