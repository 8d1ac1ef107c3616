# test: access
# file: driver/ctl.c
s/if (!(file->f_mode & FMODE_WRITE))/if (0)/
