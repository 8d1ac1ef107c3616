# test: recovery
# file: userspace/cli/show.c
s|"%-10s %-8s %8s %7|"%-10s %-6s %8s %7|
