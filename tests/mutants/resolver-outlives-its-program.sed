# A device keeps a resolver that is unloaded.
# test: resolver
# file: driver/resolver.c
/ubdx_map_forget_resolver(map, kdata);/d
