// SPDX-License-Identifier: MIT OR LGPL-2.1
/*
 * server_args.c - the options that add and recover share: the server's target, transfer modes, CPUs
 * and buffers.
 */
#include <stdlib.h>
#include <string.h>

#include "cli.h"

static void list_targets(char *text, size_t size)
{
	const struct ubdx_target_ops *ops;
	size_t used = 0;
	unsigned int i;

	for (i = 0; (ops = ubdx_target_get(i)) && used < size; i++)
		used += snprintf(text + used, size - used, "%s%s", i ? ", " : "", ops->name);
}

static void list_modes(char *text, size_t size)
{
	size_t used = 0;
	unsigned int mode;

	for (mode = 0; mode < 64 && used < size; mode++)
		if (ubdx_xfer_modes() >> mode & 1)
			used += snprintf(text + used, size - used, "%s%s", used ? ", " : "",
					 ubdx_xfer_name(mode));
}

void server_args_init(struct server_args *a)
{
	*a = (struct server_args){ .prefault = OPTION_UNSET };
	list_targets(a->targets, sizeof(a->targets));
	list_modes(a->modes, sizeof(a->modes));
	snprintf(a->target_help, sizeof(a->target_help),
		 "%s;\n"
		 "touch,none|header|all[,FILE]:NAME, for benchmarks: also read\n"
		 "that part of each payload; at exit write the number of bytes\n"
		 "and their checksum to FILE;\n"
		 "scatter,CHUNK[,PERCENT|keep]:NAME, for benchmarks: permute the\n"
		 "target's chunks of CHUNK KiB; with --extents, PERCENT of them are\n"
		 "extents, or each answer is kept",
		 a->targets);
	snprintf(a->xfer_help, sizeof(a->xfer_help),
		 "%s; default: follow the module parameter.\n"
		 "splice does its I/O synchronously: one READ or WRITE\n"
		 "at a time in each queue, so give it more queues",
		 a->modes);
}

static int parse_target(const struct command *self, const struct server_args *a)
{
	if (!a->target)
		return cli_usage(self, "--target NAME is required: %s", a->targets);
	if (!ubdx_target_find(a->target))
		return cli_usage(self, "unknown target %s; there are %s", a->target, a->targets);
	return -1;
}

static int parse_xfer(const struct command *self, const struct server_args *a, int *mode)
{
	if (!a->xfer || !strcmp(a->xfer, "default"))
		return -1;
	*mode = ubdx_xfer_by_name(a->xfer);
	if (*mode < 0)
		return cli_usage(self, "unknown transfer mode %s; there are %s and default",
				 a->xfer, a->modes);
	return -1;
}

/* The modes that can carry every request. One of them must be offered. */
#define WHOLE_MODES (1ULL << UBDX_XFER_COPY | 1ULL << UBDX_XFER_USER)

static int parse_offer(const struct command *self, const struct server_args *a, uint64_t *modes)
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
			return cli_usage(self, "--offer: unknown transfer mode %s", text);
		*modes |= 1ULL << mode;
		if (end)
			end++;
	}
	if (a->offer && !(*modes & WHOLE_MODES))
		return cli_usage(self, "--offer must include copy or user");
	return -1;
}

int server_args_apply(const struct command *self, const struct server_args *a,
		      struct ubdx_server_opts *opts, unsigned int **cpus)
{
	int ret;

	ubdx_server_opts_init(opts);
	if (a->prefault != OPTION_UNSET)
		opts->prefault = a->prefault;
	ret = parse_target(self, a);
	if (ret < 0)
		ret = parse_xfer(self, a, &opts->xfer);
	if (ret < 0)
		ret = parse_offer(self, a, &opts->xfer_modes);
	if (ret >= 0)
		return ret;
	if (a->cpus && parse_cpus(a->cpus, cpus, &opts->nr_cpus))
		return cli_usage(self, "--cpus %s is not a list of CPUs, such as 0-3,8", a->cpus);
	opts->cpus = *cpus;
	return -1;
}
