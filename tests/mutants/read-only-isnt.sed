# test: limits
# file: driver/blk.c
s/set_disk_ro(disk, .*/set_disk_ro(disk, false);/
