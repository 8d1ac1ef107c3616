# test: access
# file: driver/scan.c
s/trusted = dev->srv && dev->srv->trusted;/trusted = true;/
s/if (dev->srv->trusted && test_bit/if (test_bit/
