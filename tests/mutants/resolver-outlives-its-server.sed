# A device keeps its resolver when its server goes.
# test: resolver
# file: driver/extents.c
/^static void ubdx_table_clear/,/^}/s/WRITE_ONCE(map->resolver, NULL);//
