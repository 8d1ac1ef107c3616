# test: recovery
# file: driver/device.c
s/if (dev->queues\[0\]->sq == srv->queues\[0\])/if (1)/
