# A bio that was split succeeds if its last part does.
# test: resolver
# file: driver/front.c
s/if (unlikely(clone->bi_status) \&\& !bio->bi_status)/if (1)/
