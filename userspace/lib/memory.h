/* SPDX-License-Identifier: MIT OR LGPL-2.1 */
/*
 * memory.h - see memory.c.
 */
#ifndef UBDX_MEMORY_H
#define UBDX_MEMORY_H

#include "lib.h"

/* The part of all memory, 1/32, that no device takes. */
#define UBDX_MEMORY_RESERVE 32

/**
 * struct ubdx_memory - the memory that this process can have.
 * @limit:	all there is, of the machine or of the smallest cgroup around it.
 * @available:	what isn't used, or could be had back.
 * @owner:	whose that is, in words.
 */
struct ubdx_memory {
	uint64_t limit;
	uint64_t available;
	const char *owner;
};

void ubdx_memory_read(struct ubdx_memory *m);

/*
 * Is there memory for a device with these parameters, as filled in by the driver? Warns if not all
 * of its buffers could be used at once. Returns 0 or the result of ubdx_fail().
 */
int ubdx_memory_check(const struct ubdx_params *params, size_t prefault,
		      const struct ubdx_logger *logger);

#endif /* UBDX_MEMORY_H */
