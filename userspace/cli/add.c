// SPDX-License-Identifier: MIT OR LGPL-2.1
/*
 * add.c - the command `add`: add a device and serve it.
 */
#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "cli.h"

/* An option that was not given is OPTION_UNSET (id, numa_node), -1 (write_cache, fua) or 0. */
struct add_args {
	struct server_args server;
	const char *recovery, *serial;
	uint64_t id, size, queues, depth, max_io, timeout, block_size, physical_block_size, io_opt;
	uint64_t max_segments, max_segment_size, dma_align, numa_node;
	int read_only, write_cache, fua, force_size, extents;
};

/* ---- command line ---- */

static int parse_args(const struct command *self, int argc, char **argv, struct add_args *a)
{
	const struct option_def options[] = {
		OPTIONS_TARGET(&a->server),
		{ "size", OPTION_SIZE, &a->size, 512, INT64_MAX, "SIZE",
		  "device size (required for null and mem;\nloop: default is the file's size)" },
		OPTION_SET("force-size", &a->force_size, 1,
			   "mem: allow more than the available memory"),
		OPTION_HEADING("Device"),
		{ "id", OPTION_NUMBER, &a->id, 0, INT32_MAX, "N",
		  "number of the device (lowest free)" },
		OPTION_TEXT("serial", &a->serial, "TEXT",
			    "serial number, for /dev/disk/by-id (none)"),
		OPTION_SET("read-only", &a->read_only, 1, "refuse writes"),
		OPTION_SET(
			"extents", &a->extents, 1,
			"loop with --direct, on a block device: the driver sends\nreads and writes there without asking the server"),
		OPTION_SET("write-cache", &a->write_cache, 1,
			   "advertise a volatile write cache\n(loop: default if the file has one)"),
		OPTION_SET("no-write-cache", &a->write_cache, 0,
			   "no volatile write cache; loop syncs each write if necessary"),
		OPTION_SET("fua", &a->fua, 1, "advertise FUA"),
		OPTION_SET("no-fua", &a->fua, 0, "no FUA: the kernel sends write + flush"),
		{ "timeout", OPTION_NUMBER, &a->timeout, 1, 86400, "SECONDS",
		  "I/O timeout, after which the server is declared dead (30)" },
		OPTION_TEXT("recovery", &a->recovery, "HOW",
			    "what to do when the server dies:\n"
			    "fail, queue, reissue (default: fail)"),
		OPTION_HEADING("Queues and requests"),
		{ "queues", OPTION_NUMBER, &a->queues, 1, UINT16_MAX, "N",
		  "hardware queues, each with a thread (1)" },
		{ "depth", OPTION_NUMBER, &a->depth, 1, UBDX_MAX_DEPTH, "N",
		  "requests per queue (64)" },
		{ "max-io", OPTION_SIZE, &a->max_io, UBDX_MIN_IO_BYTES, UBDX_MAX_IO_BYTES, "SIZE",
		  "maximum request size (512K)" },
		{ "max-segments", OPTION_NUMBER, &a->max_segments, 1, UINT16_MAX, "N",
		  "maximum segments per request (one per page)" },
		{ "max-segment-size", OPTION_SIZE, &a->max_segment_size, 4096, UINT32_MAX, "SIZE",
		  "maximum segment size (no limit)" },
		{ "block-size", OPTION_SIZE, &a->block_size, 512, 4096, "SIZE",
		  "logical block size (512; for loop what the file needs)" },
		{ "physical-block-size", OPTION_SIZE, &a->physical_block_size, 512, 1U << 20,
		  "SIZE", "physical block size (4096, or that of loop's block device)" },
		{ "io-opt", OPTION_SIZE, &a->io_opt, 512, 1U << 30, "SIZE",
		  "optimal I/O size (none, or that of loop's block device)" },
		{ "dma-align", OPTION_SIZE, &a->dma_align, 2, 4096, "SIZE",
		  "alignment of memory for direct I/O (4)" },
		OPTIONS_MODES(&a->server),
		OPTION_HEADING("Server"),
		{ "numa-node", OPTION_NUMBER, &a->numa_node, 0, 1023, "N",
		  "bind the server's threads and memory to this node" },
		OPTIONS_SERVER(&a->server),
		{ 0 },
	};
	int ret = options_no_operand(self, options, argc, argv);

	if (ret >= 0)
		return ret;
	if (a->dma_align & (a->dma_align - 1))
		return cli_usage(self, "--dma-align %llu is not a power of two",
				 (unsigned long long)a->dma_align);
	return -1;
}

/*
 * Block sizes must be powers of two, and --max-io a multiple of 4096. The library and the driver
 * check the rest.
 */
static int check_blocks(const struct command *self, const struct add_args *a)
{
	if (a->block_size & (a->block_size - 1))
		return cli_usage(self, "--block-size %llu is not a power of two",
				 (unsigned long long)a->block_size);
	if (a->physical_block_size & (a->physical_block_size - 1))
		return cli_usage(self, "--physical-block-size %llu is not a power of two",
				 (unsigned long long)a->physical_block_size);
	if (a->max_io % 4096)
		return cli_usage(self, "--max-io %llu is not a multiple of 4096",
				 (unsigned long long)a->max_io);
	return -1;
}

static int parse_recovery(const struct command *self, const struct add_args *a, uint32_t *recovery)
{
	*recovery = 0;
	if (!a->recovery)
		return -1;
	for (; ubdx_recovery_name(*recovery); ++*recovery)
		if (!strcmp(a->recovery, ubdx_recovery_name(*recovery)))
			return -1;
	return cli_usage(self, "--recovery must be fail, queue or reissue, not %s", a->recovery);
}

/* 0 (numa_node: -1) where an option was not given: the target or the driver decides. */
static void fill_params(const struct add_args *a, struct ubdx_params *p)
{
	*p = (struct ubdx_params){
		.nr_queues = a->queues,
		.depth = a->depth,
		.max_io_bytes = a->max_io,
		.timeout_ms = a->timeout * 1000,
		.logical_block_size = a->block_size,
		.physical_block_size = a->physical_block_size,
		.io_opt = a->io_opt,
		.max_segments = a->max_segments,
		.max_segment_size = a->max_segment_size,
		.dma_alignment = a->dma_align ? a->dma_align - 1 : 0,
		.numa_node = a->numa_node == OPTION_UNSET ? -1 : (int)a->numa_node,
	};
}

static void fill_target_config(const struct add_args *a, struct ubdx_target_config *config)
{
	ubdx_target_config_init(config);
	config->name = a->server.target;
	config->path = a->server.file;
	config->bytes = a->size;
	config->write_cache = a->write_cache;
	config->fua = a->fua;
	/*
	 * A killed server may still have the file open. `ubdx del` can't wait for that server,
	 * because the driver doesn't know it any more.
	 */
	config->wait_ms = FILE_WAIT_MS;
	if (a->server.direct)
		config->flags |= UBDX_TARGET_DIRECT;
	if (a->force_size)
		config->flags |= UBDX_TARGET_FORCE_SIZE;
	if (a->read_only)
		config->flags |= UBDX_TARGET_READ_ONLY;
	if (a->server.no_discard)
		config->flags |= UBDX_TARGET_NO_DISCARD;
}

/*
 * Check the number before the target is opened. If the device with this number uses the target, the
 * message would otherwise be about the target.
 */
static int check_number(const struct add_args *a)
{
	struct ubdx_info info;
	int ret, ctl;

	if (a->id == OPTION_UNSET)
		return 0;
	ctl = ubdx_ctl_open();
	if (ctl < 0)
		return ctl;
	ret = ubdx_ctl_info(ctl, a->id, &info);
	close(ctl);
	if (ret)
		return 0; /* the number is free; if something else is wrong, ADD reports it */
	return ubdx_fail(-EEXIST,
			 "device number %d is taken; choose another one, or delete ubdxb%d",
			 info.id, info.id);
}

/* Runs in the server's process. */
static int open_target(struct serving *s)
{
	const struct add_args *a = s->args;
	struct ubdx_target_config config;
	uint32_t recovery = s->params.recovery;
	int ret = check_number(a);

	if (ret)
		return ret;
	fill_target_config(a, &config);
	fill_params(a, &s->params);
	s->params.recovery = recovery;
	return ubdx_target_open(ubdx_target_find(a->server.target), &config, &s->params,
				&s->target);
}

int cmd_add(const struct command *self, int argc, char **argv)
{
	struct add_args args = {
		.id = OPTION_UNSET,
		.numa_node = OPTION_UNSET,
		.write_cache = -1,
		.fua = -1,
	};
	struct serving s = {
		.self = self, .args = &args, .is_new = true, .open_target = open_target
	};
	unsigned int *cpus = NULL;
	int ret;

	server_args_init(&args.server);
	ret = parse_args(self, argc, argv, &args);
	if (ret < 0)
		ret = check_blocks(self, &args);
	if (ret < 0)
		ret = parse_recovery(self, &args, &s.params.recovery);
	if (ret < 0)
		ret = server_args_apply(self, &args.server, &s.opts, &cpus);
	if (ret < 0) {
		if (args.id != OPTION_UNSET)
			s.opts.id = args.id;
		s.opts.serial = args.serial;
		if (args.extents)
			s.opts.flags |= UBDX_SERVER_EXTENTS;
		s.json = args.server.json;
		ret = serve_device(&s, args.server.foreground);
	}
	free(cpus);
	return ret;
}
