# A revocation doesn't wait for what a resolver has found.
# test: resolver
# file: driver/extents.c
s/ubdx_table_resolve(map, srv, map->resolver) : -EBUSY/0 : -EBUSY/
