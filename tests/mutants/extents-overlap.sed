# Extents that overlap are taken.
# test: extents
# file: driver/extents.c
s/if (ranges\[i\].start < ranges\[i - 1\].end)/if (false)/
