# Mode user doesn't show what it answers a READ with.
# test: equivalence
# file: strategies/user.c
/^\tubdx_io_on_read_data(io, from, length);$/d
