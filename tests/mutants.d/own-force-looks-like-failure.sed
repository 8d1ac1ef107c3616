# test: stops
# file: driver/stop.c
s/if (dev->srv != srv || READ_ONCE(srv->quits))/if (dev->srv != srv)/
