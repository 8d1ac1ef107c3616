# test: batches
# file: driver/chan_uring.c
# Whoever is being killed still gets all that is on its way.
s/^\t\t   !fatal_signal_pending(current))) {/\t\t   true)) {/
