# test: fallbacks
# file: driver/xfer_map.c
s/ubdx_rq_may_have_gaps(rq) && !ubdx_is_linear(rq)/false/
