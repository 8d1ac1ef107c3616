# An extent for the first bytes of a request is taken for all of them.
# test: unit:steps
# file: userspace/lib/step.c
s/return unlikely(io->nr_extents) ? (int64_t)io->done : ubdx_io_served(io);/return ubdx_io_served(io);/
