# test: host:install
# file: userspace/Makefile
/LICENSES\/\*\.txt/d
