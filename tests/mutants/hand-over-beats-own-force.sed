# test: stops
# file: driver/recovery.c
s/if (READ_ONCE(dev->srv->quits) || !READ_ONCE(dev->recovers)) {/if (0) {/
