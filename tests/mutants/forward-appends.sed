# A file that is appended to is registered.
# test: forward
# file: driver/backing.c
s/if (file->f_flags \& O_APPEND || .*/if (false)/
