# A resolver's answer may lie beyond its file's end.
# test: resolver
# file: driver/resolver.c
/range->to + (range->end - range->start) <= bdev_nr_sectors/s/range->to.*;/true;/
