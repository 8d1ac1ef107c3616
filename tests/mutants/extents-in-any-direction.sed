# A WRITE uses an extent that is for READs.
# test: extents
# file: driver/front.c
s/likely(range \&\& range->flags \& flag)/likely(range)/
