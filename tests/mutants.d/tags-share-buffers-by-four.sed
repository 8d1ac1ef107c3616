# Four tags share a buffer.
# test: elevator
# file: userspace/lib/buffer.c
s/q->bufs + tag \* q->stride/q->bufs + tag \/ 4 * q->stride/
