# test: cli
# file: userspace/cli/change.c
s/now_ms() < until)/until < 0)/
