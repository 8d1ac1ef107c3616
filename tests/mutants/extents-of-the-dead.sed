# After a failed QUIESCE a dead server can have extents again.
# test: extents
# file: driver/extents.c
s/suspend || READ_ONCE(srv->queues\[0\]->dead)/suspend/
