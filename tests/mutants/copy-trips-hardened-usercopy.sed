# test: fallbacks
# file: driver/payload.h
s/return _copy_to_iter(/return copy_to_iter(/
