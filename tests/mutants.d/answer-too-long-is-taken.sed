# test: uapi
# file: driver/end.c
s/unlikely(res > bytes)/false/
