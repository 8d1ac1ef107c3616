# test: stops
# file: driver/stop.c
s/if (!dev->stopping || disk_openers(disk))/if (!dev->stopping)/;/^void ubdx_close_work/,/^}/s/{ .del = true }/{ UBDX_CTL_FORCE, .del = true }/
