# A revocation doesn't wait for I/O under way.
# test: extents
# file: driver/extents.c
s/drained = !oldest || oldest->generation >= generation;/drained = true;/
