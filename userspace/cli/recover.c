// SPDX-License-Identifier: MIT OR LGPL-2.1
/*
 * recover.c - the command `recover`: be the next server of a device that outlives its servers.
 */
#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "cli.h"

/* How long the last server may take to let go of the file. */
#define FILE_WAIT_MS 10000

struct recover_args {
	const char *target, *file, *xfer, *cpus;
	uint64_t prefault;
	int id, direct, no_discard, live, foreground, json;
};

static int parse_args(const struct command *self, int argc, char **argv, struct recover_args *a)
{
	char targets[128], modes[160];
	const struct option_def options[] = {
		{ "target", OPTION_STRING, &a->target, 0, 0, "NAME", targets },
		{ "file", OPTION_STRING, &a->file, 0, 0, "PATH",
		  "file or block device behind loop" },
		{ "direct", OPTION_FLAG, &a->direct, 1, 0, NULL,
		  "bypass the page cache of the file" },
		{ "no-discard", OPTION_FLAG, &a->no_discard, 1, 0, NULL,
		  "never give space of the target back" },
		{ "live", OPTION_FLAG, &a->live, 1, 0, NULL,
		  "also from a server that lives: it finishes, and is let go" },
		{ "xfer", OPTION_STRING, &a->xfer, 0, 0, "MODE", modes },
		{ "cpus", OPTION_STRING, &a->cpus, 0, 0, "LIST",
		  "CPUs of the queues' threads, in turn: 0-3,8" },
		{ "prefault", OPTION_SIZE, &a->prefault, 0, UBDX_MAX_IO_BYTES, "SIZE",
		  "part of each tag's buffer resident from the start" },
		{ "foreground", OPTION_FLAG, &a->foreground, 1, 0, NULL, "stay; log to stderr" },
		OPTION_JSON(&a->json),
		{ 0 },
	};
	int ret;

	cli_targets(targets, sizeof(targets));
	cli_modes(modes, sizeof(modes));
	ret = options_one_device(self, options, argc, argv, &a->id);
	if (ret >= 0)
		return ret;
	if (!a->target)
		return cli_usage(self, "--target is needed: %s", targets);
	if (!ubdx_target_find(a->target))
		return cli_usage(self, "there is no target %s; there are %s", a->target, targets);
	if (a->xfer && ubdx_xfer_by_name(a->xfer) < 0)
		return cli_usage(self, "there is no transfer mode %s; there are %s", a->xfer,
				 modes);
	return -1;
}

/* Or else its last server would be sent away for nothing. */
static int may_serve(int id)
{
	char path[32];

	snprintf(path, sizeof(path), "/dev/ubdxc%d", id);
	return faccessat(AT_FDCWD, path, R_OK | W_OK, AT_EACCESS) ?
		       ubdx_fail(-errno, "%s: %m", path) :
		       0;
}

/* See to it that the device waits for a server. */
static int claim_device(const struct recover_args *a, struct ubdx_info *info)
{
	int ret, ctl = ubdx_ctl_open();

	if (ctl < 0)
		return ctl;
	ret = ubdx_ctl_info(ctl, a->id, info) ?: may_serve(a->id);
	if (!ret && info->state == UBDX_S_LIVE && a->live)
		ret = ubdx_ctl_quiesce(ctl, a->id);
	else if (!ret && info->state != UBDX_S_QUIESCED)
		ret = ubdx_fail(-EBUSY, "ubdxb%d is %s, not without a server%s", a->id,
				ubdx_state_name(info->state),
				info->state == UBDX_S_LIVE ? "; --live takes it over" : "");
	close(ctl);
	return ret;
}

/* In the server's process. What is constant in a device decides how its target is opened. */
static int open_target(struct serving *s)
{
	const struct recover_args *a = s->args;
	struct ubdx_target_config config;
	struct ubdx_info info;
	char reason[256];
	int ret;

	ret = claim_device(a, &info);
	if (ret)
		return ret;
	ubdx_target_config_init(&config);
	config.path = a->file;
	config.bytes = info.params.dev_sectors << UBDX_SECTOR_SHIFT;
	config.write_cache = !!(info.params.attrs & UBDX_ATTR_WRITE_CACHE);
	config.fua = !!(info.params.attrs & UBDX_ATTR_FUA);
	config.wait_ms = FILE_WAIT_MS;
	if (a->direct)
		config.flags |= UBDX_TARGET_DIRECT;
	if (a->no_discard)
		config.flags |= UBDX_TARGET_NO_DISCARD;
	if (info.params.attrs & UBDX_ATTR_READ_ONLY)
		config.flags |= UBDX_TARGET_READ_ONLY;

	s->params = (struct ubdx_params){
		.logical_block_size = info.params.logical_block_size,
		.numa_node = info.params.numa_node,
		.recovery = info.params.recovery,
	};
	ret = ubdx_target_open(ubdx_target_find(a->target), &config, &s->params, &s->target);
	if (!ret)
		return 0;
	snprintf(reason, sizeof(reason), "%s", ubdx_errmsg());
	return ubdx_fail(ret, "%s; ubdxb%d still waits for a server", reason, a->id);
}

int cmd_recover(const struct command *self, int argc, char **argv)
{
	struct recover_args args = { .prefault = UINT64_MAX };
	struct serving s = { .self = self, .args = &args, .open_target = open_target };
	unsigned int *cpus = NULL;
	int ret;

	ret = parse_args(self, argc, argv, &args);
	if (ret >= 0)
		return ret;
	ubdx_server_opts_init(&s.opts);
	s.opts.id = args.id;
	if (args.xfer)
		s.opts.xfer = ubdx_xfer_by_name(args.xfer);
	if (args.prefault != UINT64_MAX)
		s.opts.prefault = args.prefault;
	if (args.cpus && parse_cpus(args.cpus, &cpus, &s.opts.nr_cpus))
		return cli_usage(self, "--cpus %s is not a list of CPUs, such as 0-3,8", args.cpus);
	s.opts.cpus = cpus;
	s.json = args.json;
	ret = serve_device(&s, args.foreground);
	free(cpus);
	return ret;
}
