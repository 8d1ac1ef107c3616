# A READ of a hole leaves the reader's memory as it was.
# test: extents
# file: driver/front.c
/zero_fill_bio(bio);/d
