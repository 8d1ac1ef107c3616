# A resolver's answer may lie beyond its file's end.
# test: resolver
# file: driver/resolver.c
s/ubdx_backing_has(backing, range->to + .*;/true;/
