# A resolver's device doesn't learn of new files.
# test: resolver
# file: driver/extents.c
/^static void ubdx_map_file_changed/,/^}/s/if (ubdx_table_resolve(map, srv, map->resolver))/if (false)/
