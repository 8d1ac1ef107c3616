# A server's extents are used before it has started.
# test: extents
# file: driver/extents.c
s/if (rcu_access_pointer(srv->dev->queues\[0\]->srvq) != srv->queues\[0\])/if (false)/
