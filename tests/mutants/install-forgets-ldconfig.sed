# test: host:install
# file: userspace/Makefile
/LDCONFIG) ||/d
