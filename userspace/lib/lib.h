/* SPDX-License-Identifier: MIT OR LGPL-2.1 */
/*
 * lib.h - what the library's own files share and its users don't see.
 */
#ifndef UBDX_LIB_H
#define UBDX_LIB_H

#include <stddef.h>

#include "libubdx.h"

#define likely(x) __builtin_expect(!!(x), 1)
#define unlikely(x) __builtin_expect(!!(x), 0)
#define cold __attribute__((cold, noinline))

#define ARRAY_SIZE(a) (sizeof(a) / sizeof((a)[0]))

#define UBDX_SECTOR_SIZE (1U << UBDX_SECTOR_SHIFT)

/* Where a server's messages go; no function: stderr. */
struct ubdx_logger {
	ubdx_log_fn log;
	void *arg;
};

void ubdx_log(const struct ubdx_logger *logger, int priority, const char *fmt, ...)
	__attribute__((format(printf, 3, 4)));

static inline size_t ubdx_round_up(size_t n, size_t to)
{
	return (n + to - 1) / to * to;
}

/* Bytes that a request covers; 0 for FLUSH. */
static inline uint64_t ubdx_desc_bytes(const struct ubdx_desc *desc)
{
	return (uint64_t)desc->nr_sectors << UBDX_SECTOR_SHIFT;
}

#endif /* UBDX_LIB_H */
