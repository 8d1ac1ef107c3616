# test: cli
# file: userspace/cli/add.c
s/if (a->id == OPTION_UNSET)/if (1)/
