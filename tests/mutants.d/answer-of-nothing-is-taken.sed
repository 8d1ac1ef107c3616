# test: uapi
# file: driver/blk.c
s/if (unlikely(res <= 0))/if (unlikely(res < 0))/
