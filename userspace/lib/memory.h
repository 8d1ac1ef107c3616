/* SPDX-License-Identifier: MIT OR LGPL-2.1 */
/*
 * memory.h - see memory.c.
 */
#ifndef UBDX_MEMORY_H
#define UBDX_MEMORY_H

#include "lib.h"

/* A new device must leave 1/32 of all memory available. */
#define UBDX_MEMORY_RESERVE 32

/**
 * struct ubdx_memory - memory of the machine, or of a memory cgroup of this process that has less.
 * @limit:	total memory.
 * @available:	memory that is free or could be reclaimed.
 * @owner:	whose memory @available is, for messages: "machine" or "memory cgroup".
 * @limit_owner: the same for @limit.
 */
struct ubdx_memory {
	uint64_t limit;
	uint64_t available;
	const char *owner;
	const char *limit_owner;
};

void ubdx_memory_read(struct ubdx_memory *m);

/*
 * Check that there is memory for a device with these parameters, in which the driver has filled in
 * the defaults. Log a warning if the device's buffers together can become larger than the total
 * memory. Returns 0 or the result of ubdx_fail().
 */
int ubdx_memory_check(const struct ubdx_params *params, size_t prefault,
		      const struct ubdx_logger *logger);

#endif /* UBDX_MEMORY_H */
