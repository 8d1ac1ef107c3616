# test: operations
# file: userspace/targets/loop.c
s|(uint64_t)st.st_size < end|(uint64_t)st.st_size < end - end|
