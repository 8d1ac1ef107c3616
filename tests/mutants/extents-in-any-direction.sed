# A WRITE uses an extent that is for READs.
# test: extents
# file: driver/front.c
s/!range || !(range->flags \& flag)/!range/
