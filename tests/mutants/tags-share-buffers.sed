# Every other tag shares its buffer with the one before.
# test: verify
# file: userspace/lib/buffer.c
s/q->bufs + tag \* q->stride/q->bufs + tag \/ 2 * q->stride/
