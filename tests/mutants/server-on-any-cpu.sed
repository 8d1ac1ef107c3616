# test: queues
# file: userspace/lib/server.c
s/ret = sched_setaffinity(0, size, cpus);/ret = 0;/
