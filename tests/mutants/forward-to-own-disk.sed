# test: forward
# file: driver/backing.c
s/own = bdev \&\& dev->disk/own = false \&\& dev->disk/
