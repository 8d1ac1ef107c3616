# test: recovery
# file: driver/stop.c
s/if (rcu_access_pointer(dev->queues\[0\]->srvq) == srv->queues\[0\])/if (1)/
