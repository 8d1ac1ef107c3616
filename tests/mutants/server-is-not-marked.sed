# test: cli
# file: userspace/cli/daemon.c
s/if (\*program_invocation_name)/if (0)/
