// SPDX-License-Identifier: MIT OR LGPL-2.1
/*
 * add.c - the command `add`: its options, and what they mean for target and device.
 */
#include <stdlib.h>
#include <string.h>

#include "cli.h"

/* What the command line says; -1 and UNSET where it says nothing. */
#define UNSET UINT64_MAX

struct add_args {
	const char *target, *file, *xfer, *offer, *touch, *cpus, *recovery;
	uint64_t id, size, queues, depth, max_io, timeout, block_size, physical_block_size, io_opt;
	uint64_t max_segments, max_segment_size, dma_align, numa_node, prefault;
	int direct, read_only, no_discard, write_cache, fua, foreground, json;
};

/* ---- command line ---- */

void cli_targets(char *text, size_t size)
{
	const struct ubdx_target_ops *ops;
	size_t used = 0;
	unsigned int i;

	for (i = 0; (ops = ubdx_target_get(i)) && used < size; i++)
		used += snprintf(text + used, size - used, "%s%s", i ? ", " : "", ops->name);
}

void cli_modes(char *text, size_t size)
{
	size_t used = 0;
	unsigned int mode;

	for (mode = 0; mode < 64 && used < size; mode++)
		if (ubdx_xfer_modes() >> mode & 1)
			used += snprintf(text + used, size - used, "%s, ", ubdx_xfer_name(mode));
	snprintf(text + used, used < size ? size - used : 0, "default");
}

static int parse_args(const struct command *self, int argc, char **argv, struct add_args *a)
{
	char targets[128], modes[160];
	const struct option_def options[] = {
		{ "target", OPTION_STRING, &a->target, 0, 0, "NAME", targets },
		{ "size", OPTION_SIZE, &a->size, 512, INT64_MAX, "SIZE",
		  "capacity (the file's; null and mem need it)" },
		{ "file", OPTION_STRING, &a->file, 0, 0, "PATH",
		  "file or block device behind loop" },
		{ "direct", OPTION_FLAG, &a->direct, 1, 0, NULL,
		  "bypass the page cache of the file" },
		{ "read-only", OPTION_FLAG, &a->read_only, 1, 0, NULL, "refuse writes" },
		{ "no-discard", OPTION_FLAG, &a->no_discard, 1, 0, NULL,
		  "never give space of the target back" },
		{ "write-cache", OPTION_FLAG, &a->write_cache, 1, 0, NULL,
		  "volatile until flushed (loop: as the file is)" },
		{ "no-write-cache", OPTION_FLAG, &a->write_cache, 0, 0, NULL,
		  "stable when written; loop syncs each write if need be" },
		{ "fua", OPTION_FLAG, &a->fua, 1, 0, NULL,
		  "take writes that are to be stable at once" },
		{ "no-fua", OPTION_FLAG, &a->fua, 0, 0, NULL,
		  "have the kernel flush after them instead" },
		{ "id", OPTION_NUMBER, &a->id, 0, INT32_MAX, "N",
		  "number of the device (lowest free)" },
		{ "queues", OPTION_NUMBER, &a->queues, 1, UINT16_MAX, "N",
		  "hardware queues, each with a thread" },
		{ "depth", OPTION_NUMBER, &a->depth, 1, UBDX_MAX_DEPTH, "N", "requests per queue" },
		{ "max-io", OPTION_SIZE, &a->max_io, UBDX_MIN_IO_BYTES, UBDX_MAX_IO_BYTES, "SIZE",
		  "longest request" },
		{ "block-size", OPTION_SIZE, &a->block_size, 512, 4096, "SIZE",
		  "logical block (512)" },
		{ "physical-block-size", OPTION_SIZE, &a->physical_block_size, 512, 1U << 30,
		  "SIZE", "physical block (4096)" },
		{ "io-opt", OPTION_SIZE, &a->io_opt, 512, 1U << 30, "SIZE",
		  "preferred request (none)" },
		{ "max-segments", OPTION_NUMBER, &a->max_segments, 1, UINT16_MAX, "N",
		  "longest scatter list of a request (one entry a page)" },
		{ "max-segment-size", OPTION_SIZE, &a->max_segment_size, 4096, UINT32_MAX, "SIZE",
		  "longest entry of one (no limit)" },
		{ "dma-align", OPTION_SIZE, &a->dma_align, 1, 4096, "SIZE",
		  "alignment of memory for direct I/O (4)" },
		{ "timeout", OPTION_NUMBER, &a->timeout, 1, 86400, "SECONDS",
		  "after which the server is taken for dead (30)" },
		{ "recovery", OPTION_STRING, &a->recovery, 0, 0, "HOW",
		  "without its server the device can: fail, queue, reissue (fail)" },
		{ "xfer", OPTION_STRING, &a->xfer, 0, 0, "MODE", modes },
		{ "offer", OPTION_STRING, &a->offer, 0, 0, "MODE,...",
		  "the modes that the server is willing to serve (all)" },
		{ "touch", OPTION_STRING, &a->touch, 0, 0, "PART",
		  "look at payloads, and sum them up: none, header, all (none)" },
		{ "cpus", OPTION_STRING, &a->cpus, 0, 0, "LIST",
		  "CPUs of the queues' threads, in turn: 0-3,8" },
		{ "numa-node", OPTION_NUMBER, &a->numa_node, 0, 1023, "N",
		  "node of threads and memory" },
		{ "prefault", OPTION_SIZE, &a->prefault, 0, UBDX_MAX_IO_BYTES, "SIZE",
		  "part of each tag's buffer resident from the start" },
		{ "foreground", OPTION_FLAG, &a->foreground, 1, 0, NULL, "stay; log to stderr" },
		OPTION_JSON(&a->json),
		{ 0 },
	};
	int first, ret;

	cli_targets(targets, sizeof(targets));
	cli_modes(modes, sizeof(modes));
	ret = options_parse(self, options, argc, argv, &first);
	if (ret >= 0)
		return ret;
	if (first < argc)
		return cli_usage(self, "%s: takes no operand", argv[first]);
	if (!a->target)
		return cli_usage(self, "--target is needed: %s", targets);
	if (!ubdx_target_find(a->target))
		return cli_usage(self, "there is no target %s; there are %s", a->target, targets);
	if (a->xfer && strcmp(a->xfer, "default") && ubdx_xfer_by_name(a->xfer) < 0)
		return cli_usage(self, "there is no transfer mode %s; there are %s", a->xfer,
				 modes);
	if (a->dma_align & (a->dma_align - 1))
		return cli_usage(self, "--dma-align %llu is not a power of two",
				 (unsigned long long)a->dma_align);
	return -1;
}

/* Powers of two, of those that --block-size allows; the driver checks the rest. */
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
	for (; *recovery < UBDX_NR_RECOVERY; ++*recovery)
		if (!strcmp(a->recovery, ubdx_recovery_name(*recovery)))
			return -1;
	return cli_usage(self, "--recovery is fail, queue or reissue, not %s", a->recovery);
}

static int parse_offer(const struct command *self, const struct add_args *a, uint64_t *modes)
{
	const char *name, *end = a->offer;
	char text[32];
	int mode;

	*modes = 0;
	while (end) {
		name = end;
		end = strchr(name, ',');
		snprintf(text, sizeof(text), "%.*s", end ? (int)(end - name) : 31, name);
		mode = ubdx_xfer_by_name(text);
		if (mode < 0)
			return cli_usage(self, "--offer: there is no transfer mode %s", text);
		*modes |= 1ULL << mode;
		if (end)
			end++;
	}
	return -1;
}

static int parse_touch(const struct command *self, const struct add_args *a, uint32_t *touch)
{
	if (!a->touch || !strcmp(a->touch, "none"))
		*touch = 0;
	else if (!strcmp(a->touch, "header"))
		*touch = 64;
	else if (!strcmp(a->touch, "all"))
		*touch = UINT32_MAX;
	else
		return cli_usage(self, "--touch is none, header or all, not %s", a->touch);
	return -1;
}

static int parse_server_opts(const struct command *self, const struct add_args *a,
			     struct ubdx_server_opts *opts, unsigned int **cpus)
{
	int ret;

	ubdx_server_opts_init(opts);
	if (a->id != UNSET)
		opts->id = a->id;
	if (a->xfer && strcmp(a->xfer, "default"))
		opts->xfer = ubdx_xfer_by_name(a->xfer);
	if (a->prefault != UNSET)
		opts->prefault = a->prefault;
	if (a->cpus && parse_cpus(a->cpus, cpus, &opts->nr_cpus))
		return cli_usage(self, "--cpus %s is not a list of CPUs, such as 0-3,8", a->cpus);
	opts->cpus = *cpus;
	ret = parse_offer(self, a, &opts->xfer_modes);
	return ret >= 0 ? ret : parse_touch(self, a, &opts->touch);
}

/* Zero, where nothing was said, leaves it to the target or the driver. */
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
		.numa_node = a->numa_node == UNSET ? -1 : (int)a->numa_node,
	};
}

static void fill_target_config(const struct add_args *a, struct ubdx_target_config *config)
{
	ubdx_target_config_init(config);
	config->path = a->file;
	config->bytes = a->size;
	config->write_cache = a->write_cache;
	config->fua = a->fua;
	if (a->direct)
		config->flags |= UBDX_TARGET_DIRECT;
	if (a->read_only)
		config->flags |= UBDX_TARGET_READ_ONLY;
	if (a->no_discard)
		config->flags |= UBDX_TARGET_NO_DISCARD;
}

/* ---- in the command ---- */

/* The server's part, in its own process. */
static int open_target(struct serving *s)
{
	const struct add_args *a = s->args;
	struct ubdx_target_config config;
	uint32_t recovery = s->params.recovery;

	fill_target_config(a, &config);
	fill_params(a, &s->params);
	s->params.recovery = recovery;
	return ubdx_target_open(ubdx_target_find(a->target), &config, &s->params, &s->target);
}

int cmd_add(const struct command *self, int argc, char **argv)
{
	struct add_args args = {
		.id = UNSET,
		.numa_node = UNSET,
		.prefault = UNSET,
		.write_cache = -1,
		.fua = -1,
	};
	struct serving s = {
		.self = self, .args = &args, .is_new = true, .open_target = open_target
	};
	unsigned int *cpus = NULL;
	int ret;

	ret = parse_args(self, argc, argv, &args);
	if (ret < 0)
		ret = check_blocks(self, &args);
	if (ret < 0)
		ret = parse_recovery(self, &args, &s.params.recovery);
	if (ret < 0)
		ret = parse_server_opts(self, &args, &s.opts, &cpus);
	if (ret < 0) {
		s.json = args.json;
		ret = serve_device(&s, args.foreground);
	}
	free(cpus);
	return ret;
}
