# What may be kept for READs is kept for WRITEs, too.
# test: extents
# file: driver/keep.c
s/if (flags \& UBDX_COMMIT_KEEP_WRITES \&\& /if (/
