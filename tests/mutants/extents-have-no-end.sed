# A bio that goes beyond an extent uses it.
# test: extents
# file: driver/extents.h
s/start >= range->start \&\& end <= range->end/start >= range->start/
