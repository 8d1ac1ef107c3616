# test: stops
# file: driver/stop.c
/UBDX_CTL_LAST_CLOSE && served/,/EINPROGRESS/s/WRITE_ONCE(dev->recovers, false);/;/
