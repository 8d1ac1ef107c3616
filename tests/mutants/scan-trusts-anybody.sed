# test: access
# file: driver/scan.c
s/trusted = dev->srv && dev->srv->trusted;/trusted = true;/
s/!dev->srv->trusted || !test_bit/!test_bit/
