# The end of an extent that was cut leads to the place of its start.
# test: extents
# file: driver/extents.c
s/^\trange->to += start - range->start;//
