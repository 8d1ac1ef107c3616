# test: stops
# file: driver/recovery.c
s/if (READ_ONCE(dev->srv->quits)) {/if (0) {/
