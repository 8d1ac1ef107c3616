# test: fuzz
# file: driver/recovery.c
s/for (i = 0; i < dev->params.nr_queues; i++)/for (i = 0; i < 1; i++)/
