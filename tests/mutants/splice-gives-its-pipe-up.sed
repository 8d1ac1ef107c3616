# test: fallbacks
# file: strategies/splice.c
s/p->retry_at = ubdx_coarse_ns() + UBDX_PIPE_RETRY_NS/p->retry_at = UINT64_MAX/
