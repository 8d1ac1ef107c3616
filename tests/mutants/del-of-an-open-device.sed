# test: death
# file: driver/stop.c
s/if (!disk_openers(dev->disk) ||/if (true ||/
