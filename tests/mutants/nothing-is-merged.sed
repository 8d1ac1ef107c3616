# No request is longer than a page, so that nothing can be merged.
# test: elevator
# file: driver/blk.c
s/^\t\t\.max_hw_sectors = .*/\t\t.max_hw_sectors = 8,/
