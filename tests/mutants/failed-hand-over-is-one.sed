# test: recovery
# file: driver/recovery.c
s/if (READ_ONCE(dev->srv->queues\[0\]->dead)) {/if (0) {/
