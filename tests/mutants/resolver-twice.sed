# Two resolvers have one name.
# test: resolver
# file: driver/resolver.c
s/if (ubdx_resolver_by_name(resolver->name))/if (0)/
