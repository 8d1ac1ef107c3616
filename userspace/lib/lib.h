/* SPDX-License-Identifier: MIT OR LGPL-2.1 */
/*
 * lib.h - declarations for all files of the library, its targets and strategies included. Users of
 * the library do not see them.
 */
#ifndef UBDX_LIB_H
#define UBDX_LIB_H

#include <stdbool.h>
#include <stddef.h>

#include "libubdx.h"

#define likely(x) __builtin_expect(!!(x), 1)
#define unlikely(x) __builtin_expect(!!(x), 0)
#define cold __attribute__((cold, noinline))

#define ARRAY_SIZE(a) (sizeof(a) / sizeof((a)[0]))

#define UBDX_SECTOR_SIZE (1U << UBDX_SECTOR_SHIFT)

/* Receives a server's messages; if @log is NULL they go to stderr. */
struct ubdx_logger {
	ubdx_log_fn log;
	void *arg;
};

void ubdx_log(const struct ubdx_logger *logger, int priority, const char *fmt, ...)
	__attribute__((format(printf, 3, 4)));

/**
 * struct ubdx_log_limit - limits the rate of a message that every request could cause; see
 * ubdx_log_limited(). Must be zero at first. Only one thread may use it.
 * @until:	no message before this time (CLOCK_MONOTONIC, ns).
 * @dropped:	number of messages dropped since the last one was logged.
 */
struct ubdx_log_limit {
	uint64_t until;
	unsigned int dropped;
};

void ubdx_log_limited(const struct ubdx_logger *logger, struct ubdx_log_limit *limit, int priority,
		      const char *fmt, ...) __attribute__((format(printf, 4, 5)));

/* CLOCK_MONOTONIC in ns: cheap, but up to some milliseconds behind. */
uint64_t ubdx_coarse_ns(void);

/*
 * Copy a caller's struct, which begins with its size. The caller's header may be older or newer
 * than this library. Returns false if the caller has set a field that the library doesn't know.
 */
static inline bool ubdx_copy_known(void *to, size_t known, const void *from, size_t size)
{
	const char *tail = from;
	size_t i;

	for (i = known; i < size; i++)
		if (tail[i])
			return false;
	memcpy(to, from, size < known ? size : known);
	return true;
}

static inline size_t ubdx_round_up(size_t n, size_t to)
{
	return (n + to - 1) / to * to;
}

/* ---- control.c ---- */

int ubdx_chan_set_file(int channel, unsigned int index, int fd);

/* ---- process.c ---- */

void ubdx_spare_from_oom(const struct ubdx_logger *logger);

/* ---- step.c ---- */

/* Zeroes to read or to write; aligned for direct I/O. */
#define UBDX_ZEROES_BYTES (256U << 10)

extern const char ubdx_zeroes[UBDX_ZEROES_BYTES];

/* Bytes that a request covers; 0 for FLUSH. */
static inline uint64_t ubdx_desc_bytes(const struct ubdx_desc *desc)
{
	return (uint64_t)desc->nr_sectors << UBDX_SECTOR_SHIFT;
}

#endif /* UBDX_LIB_H */
