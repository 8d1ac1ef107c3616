# test: modes
# file: driver/xfer_splice.c
s/WRITE_ONCE(span->revoked, true);/;/
