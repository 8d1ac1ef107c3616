# test: batches
# kernel: backports
# file: driver/chan_uring.c
s/if (likely(!pdu->turns) ||/if (likely(true) ||/
