# test: cli
# file: userspace/cli/add.c
s/config->wait_ms = FILE_WAIT_MS;/;/
