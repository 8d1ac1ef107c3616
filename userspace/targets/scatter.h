/* SPDX-License-Identifier: MIT OR LGPL-2.1 */
/*
 * scatter.h - the permutation of target `scatter`, for the resolvers that answer in its place.
 */
#ifndef UBDX_SCATTER_H
#define UBDX_SCATTER_H

#include <stdint.h>

/*
 * Chunk c of the device is chunk c * factor mod @nr_chunks of the target behind. The factor is a
 * prime that doesn't divide @nr_chunks, so no two chunks have the same place.
 */
static inline uint64_t ubdx_scatter_factor(uint64_t nr_chunks)
{
	return nr_chunks % 7919 ? 7919 : 7927;
}

#endif /* UBDX_SCATTER_H */
