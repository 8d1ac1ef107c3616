// SPDX-License-Identifier: GPL-2.0
/*
 * update-cost.c - what it costs a server to change a table of extents:
 *
 *	update-cost FILE NR_EXTENTS...
 *
 * FILE is a block device. For each number of extents, prints a line with the mean thread time in ns
 * of a MAP of one extent, of a REVOKE, and of a REVOKE with UBDX_REVOKE_DRAIN; and the mean elapsed
 * time of the last. On the counting clock 1 ns is 1 instruction. There is no I/O, so draining waits
 * only for an RCU grace period; the elapsed time has the idle time, too.
 */
#include <err.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include "libubdx.h"

#define BLOCK_SECTORS 8
#define ROUNDS 64

static struct ubdx_target *target;

static double now(clockid_t clock)
{
	struct timespec t;

	clock_gettime(clock, &t);
	return t.tv_sec * 1e9 + t.tv_nsec;
}

/* Blocks change places in pairs, so that no two extents can be merged. */
static struct ubdx_map_extent extent(unsigned int block)
{
	return (struct ubdx_map_extent){
		.sector = (uint64_t)block * BLOCK_SECTORS,
		.nr_sectors = BLOCK_SECTORS,
		.offset = (uint64_t)(block ^ 1) * BLOCK_SECTORS * 512,
		.flags = UBDX_EXTENT_READ | UBDX_EXTENT_WRITE,
	};
}

static void set(unsigned int block, unsigned int nr)
{
	struct ubdx_map_extent *extents = calloc(nr, sizeof(*extents));
	unsigned int i;
	int ret;

	for (i = 0; i < nr; i++)
		extents[i] = extent(block + i);
	ret = ubdx_extents_set(target, extents, nr);
	if (ret)
		errx(EXIT_FAILURE, "MAP of %u extents: %s", nr, strerror(-ret));
	free(extents);
}

static void revoke(unsigned int block, unsigned int nr, int drain)
{
	int ret = ubdx_extents_revoke(target, (uint64_t)block * BLOCK_SECTORS,
				      (uint64_t)nr * BLOCK_SECTORS, drain);

	if (ret)
		errx(EXIT_FAILURE, "REVOKE: %s", strerror(-ret));
}

static void measure(unsigned int nr)
{
	const unsigned int block = nr / 2;
	double used[3] = { 0 }, elapsed = 0, start, begin;
	unsigned int round;

	set(0, nr);
	for (round = 0; round < ROUNDS; round++) {
		start = now(CLOCK_THREAD_CPUTIME_ID);
		revoke(block, 1, 0);
		used[1] += now(CLOCK_THREAD_CPUTIME_ID) - start;
		start = now(CLOCK_THREAD_CPUTIME_ID);
		set(block, 1);
		used[0] += now(CLOCK_THREAD_CPUTIME_ID) - start;
		begin = now(CLOCK_MONOTONIC);
		start = now(CLOCK_THREAD_CPUTIME_ID);
		revoke(block, 1, 1);
		used[2] += now(CLOCK_THREAD_CPUTIME_ID) - start;
		elapsed += now(CLOCK_MONOTONIC) - begin;
		set(block, 1);
	}
	printf("%u\t%.0f\t%.0f\t%.0f\t%.0f\n", nr, used[0] / ROUNDS, used[1] / ROUNDS,
	       used[2] / ROUNDS, elapsed / ROUNDS);
	revoke(0, nr, 1);
}

int main(int argc, char **argv)
{
	struct ubdx_target_config config;
	struct ubdx_server_opts opts;
	struct ubdx_server *server;
	int i;

	if (argc < 3)
		errx(EXIT_FAILURE, "usage: update-cost FILE NR_EXTENTS...");
	ubdx_target_config_init(&config);
	ubdx_server_opts_init(&opts);
	config.path = argv[1];
	config.flags = UBDX_TARGET_DIRECT;
	opts.flags = UBDX_SERVER_EXTENTS;
	opts.params.nr_queues = 1;
	if (ubdx_target_open(ubdx_target_find("loop"), &config, &opts.params, &target) ||
	    ubdx_server_start(target, &opts, &server))
		errx(EXIT_FAILURE, "%s", ubdx_errmsg());
	revoke(0, opts.params.dev_sectors / BLOCK_SECTORS, 1);
	for (i = 2; i < argc; i++)
		measure(strtoul(argv[i], NULL, 10));
	if (ubdx_server_free(server))
		errx(EXIT_FAILURE, "the server failed");
	ubdx_target_close(target);
	return EXIT_SUCCESS;
}
