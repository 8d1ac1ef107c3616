# test: uapi
# file: driver/chan_uring.c
s/if (t->fetched)/if (false)/
