# test: forward
# file: driver/forward.c
s/} else if (unlikely(bytes < part->bytes)) {/} else if (false) {/
