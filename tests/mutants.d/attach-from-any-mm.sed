# test: uapi
# file: driver/chan_uring.c
s/if (current->mm != srv->mm)/if (false)/
