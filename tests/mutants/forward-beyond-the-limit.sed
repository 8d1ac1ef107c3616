# A server writes beyond its RLIMIT_FSIZE.
# test: forward
# file: driver/forward.c
s/limit != RLIM_INFINITY \&\& pos + bytes > limit/false/
