# test: access
# file: driver/server.c
s/if (!(file->f_mode & FMODE_READ) || .*/if (0)/
