# test: fallbacks
# file: driver/trace.c
s/done->fallback = slot->fallback;/done->fallback = 0;/
