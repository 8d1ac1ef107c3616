# test: stops
# file: driver/stop.c
s/if (!srv || !timeout_ms) {/if (true) {/
