# A file that is open for reading is written.
# test: forward
# file: driver/forward.c
s/^\tif (!(backing->file->f_mode \& .*/\tif (false)/
