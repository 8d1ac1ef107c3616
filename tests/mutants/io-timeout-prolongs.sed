# test: lateness
# file: driver/tick.c
s/msecs_to_jiffies(dev->params.timeout_ms)/MAX_JIFFY_OFFSET/
