# test: forward
# file: driver/forward.c
s/bi_sector = pos >> SECTOR_SHIFT/bi_sector = 0/
