# A file's O_DSYNC is ignored.
# test: forward
# file: driver/forward.c
s/if (unlikely(backing->file->f_iocb_flags \& IOCB_DSYNC))/if (false)/
