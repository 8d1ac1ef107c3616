# A resolver is asked about sectors of several chunks.
# test: resolver
# file: driver/resolver.c
s/if (chunk)$/if (0)/
