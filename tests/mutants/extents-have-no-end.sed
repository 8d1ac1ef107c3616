# A bio that goes beyond an extent uses it.
# test: extents
# file: driver/front.c
s/if (unlikely(bio_end_sector(bio) > range.end))/if (0)/
