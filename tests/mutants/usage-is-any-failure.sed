# A wrong command line exits as any failure does.
# test: cli
# file: userspace/cli/errors.c
s/return EXIT_USAGE;/return EXIT_FAILURE;/
