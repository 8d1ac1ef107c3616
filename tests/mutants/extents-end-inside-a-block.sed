# A revocation cuts an extent inside a logical block.
# test: extents
# file: driver/extents.c
s/(edit.start | edit.end) \& (map->block_sectors - 1)/false/
