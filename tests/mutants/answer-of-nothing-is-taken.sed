# test: uapi
# file: driver/end.c
s/unlikely(!res || res > /unlikely(res > /
s/if (unlikely(!res))/if (false)/
