# test: host:install
# file: userspace/Makefile
s/^install:$/install: products/
