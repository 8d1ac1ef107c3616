# A drain doesn't wait for I/O in extents.
# test: relocation
# file: driver/extents.c
s/wait_event_killable(map->changed, ubdx_map_is_drained(map, generation))/false/
