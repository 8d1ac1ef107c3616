# Each part has the first bytes of the request.
# test: forward
# file: driver/forward.c
/bio_advance_iter(bio/d
