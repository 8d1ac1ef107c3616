# test: uapi
# file: driver/end.c
s/if (unlikely(res <= 0))/if (unlikely(res < 0))/
