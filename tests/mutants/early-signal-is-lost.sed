# test: partitions
# file: userspace/cli/serve.c
# A signal that comes before the device is served is forgotten.
s/^\tret = report_live(s, ubdx_server_id(server));/\twhile (poll(\&(struct pollfd){ .fd = signals, .events = POLLIN }, 1, 0) > 0)\n\t\t(void)!read(signals, (char[128]){}, 128);\n&/
