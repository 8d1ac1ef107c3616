# test: partitions
# file: userspace/lib/server.c
s/^\t\tubdx_wait_for_scan(s);/\t\ts->live ? (void)0 : ubdx_wait_for_scan(s);/
