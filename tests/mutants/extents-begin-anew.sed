# Each bio that uses an extent goes to the extent's first sectors.
# test: stacks
# file: driver/front.c
s/clone->bi_iter.bi_sector += range->to - range->start;/clone->bi_iter.bi_sector = range->to;/
