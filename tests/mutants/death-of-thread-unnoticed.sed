# test: death
# file: driver/dev.h
s/& PF_POSTCOREDUMP/\& 0/
