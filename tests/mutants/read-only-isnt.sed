# test: limits
# file: driver/device.c
s/set_disk_ro(disk, .*/set_disk_ro(disk, false);/
