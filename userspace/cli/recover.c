// SPDX-License-Identifier: MIT OR LGPL-2.1
/*
 * recover.c - the command `recover`: start a new server for a device that has none, or (--live)
 * replace the running one.
 */
#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "cli.h"

struct recover_args {
	struct server_args server;
	int id, live, other_target;
};

static int parse_args(const struct command *self, int argc, char **argv, struct recover_args *a)
{
	const struct option_def options[] = {
		OPTIONS_TARGET(&a->server),
		OPTIONS_MODES(&a->server),
		OPTION_HEADING("Server"),
		OPTION_SET("live", &a->live, 1,
			   "take over from a running server, which drains and exits"),
		OPTION_SET("other-target", &a->other_target, UBDX_SERVER_OTHER_TARGET,
			   "accept another target than the last server's"),
		OPTIONS_SERVER(&a->server),
		{ 0 },
	};

	return options_one_device(self, options, argc, argv, &a->id);
}

/* Check access to the channel before the running server loses the device. */
static int may_serve(int id)
{
	char path[32];

	snprintf(path, sizeof(path), "/dev/ubdxc%d", id);
	return faccessat(AT_FDCWD, path, R_OK | W_OK, AT_EACCESS) ?
		       ubdx_fail(-errno, "%s: %m", path) :
		       0;
}

/* Open the target with the parameters of the device, which can't change any more. */
static int open_target_of(const struct recover_args *a, const struct ubdx_info *info,
			  uint32_t flags, struct ubdx_params *params, struct ubdx_target **target)
{
	struct ubdx_target_config config;

	ubdx_target_config_init(&config);
	config.name = a->server.target;
	config.path = a->server.file;
	config.bytes = info->params.dev_sectors << UBDX_SECTOR_SHIFT;
	config.write_cache = !!(info->params.attrs & UBDX_ATTR_WRITE_CACHE);
	config.fua = !!(info->params.attrs & UBDX_ATTR_FUA);
	config.wait_ms = FILE_WAIT_MS;
	config.flags = flags;
	if (a->server.direct)
		config.flags |= UBDX_TARGET_DIRECT;
	if (a->server.no_discard)
		config.flags |= UBDX_TARGET_NO_DISCARD;
	if (info->params.attrs & UBDX_ATTR_READ_ONLY)
		config.flags |= UBDX_TARGET_READ_ONLY;

	*params = (struct ubdx_params){
		.logical_block_size = info->params.logical_block_size,
		.numa_node = info->params.numa_node,
		.recovery = info->params.recovery,
	};
	return ubdx_target_open(ubdx_target_find(a->server.target), &config, params, target);
}

/* Check that this process could serve the device, before the running server loses it. */
static int try_target(const struct serving *s, const struct ubdx_info *info)
{
	struct ubdx_server_opts opts = s->opts;
	struct ubdx_target *target;
	int ret;

	ret = open_target_of(s->args, info, UBDX_TARGET_LOOK, &opts.params, &target);
	if (ret)
		return ret;
	ret = ubdx_server_may_recover(target, &opts);
	ubdx_target_close(target);
	return ret;
}

/* With --live take the device from its server. Fails unless the device then waits for a server. */
static int claim_device(const struct serving *s, struct ubdx_info *info)
{
	const struct recover_args *a = s->args;
	int ret, ctl = ubdx_ctl_open();

	if (ctl < 0)
		return ctl;
	ret = ubdx_ctl_info(ctl, a->id, info) ?: may_serve(a->id);
	if (!ret && info->state == UBDX_S_LIVE && a->live)
		ret = try_target(s, info) ?: ubdx_ctl_quiesce(ctl, a->id);
	else if (!ret && info->state == UBDX_S_LIVE)
		ret = ubdx_fail(-EBUSY, "ubdxb%d already has a server; use --live to take it over",
				a->id);
	else if (!ret && info->state != UBDX_S_QUIESCED)
		ret = ubdx_fail(-EBUSY, "ubdxb%d does not wait for a server: it is %s", a->id,
				ubdx_state_name(info->state));
	close(ctl);
	return ret;
}

/* Runs in the server's process. */
static int open_target(struct serving *s)
{
	const struct recover_args *a = s->args;
	struct ubdx_info info;
	char reason[256];
	int ret;

	ret = claim_device(s, &info);
	if (ret)
		return ret;
	ret = open_target_of(a, &info, 0, &s->params, &s->target);
	if (!ret)
		return 0;
	snprintf(reason, sizeof(reason), "%s", ubdx_errmsg());
	return ubdx_fail(ret, "%s; ubdxb%d waits for a server", reason, a->id);
}

int cmd_recover(const struct command *self, int argc, char **argv)
{
	struct recover_args args = { 0 };
	struct serving s = { .self = self, .args = &args, .open_target = open_target };
	unsigned int *cpus = NULL;
	int ret;

	server_args_init(&args.server);
	ret = parse_args(self, argc, argv, &args);
	if (ret < 0)
		ret = server_args_apply(self, &args.server, &s.opts, &cpus);
	if (ret < 0) {
		s.opts.id = args.id;
		s.opts.flags = args.other_target;
		s.json = args.server.json;
		ret = serve_device(&s, args.server.foreground);
	}
	free(cpus);
	return ret;
}
