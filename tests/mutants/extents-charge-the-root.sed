# I/O in extents is nobody's.
# test: backings
# file: driver/front.c
/bio_clone_blkg_association(clone, bio);/d
