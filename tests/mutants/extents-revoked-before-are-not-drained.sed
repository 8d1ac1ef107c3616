# A drain of extents that the driver has revoked does not wait.
# test: extents
# file: driver/extents.c
/also when the extents were revoked before/,/arg->flags/s/if (arg->flags/if (!ret \&\& arg->flags/
