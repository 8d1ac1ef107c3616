// SPDX-License-Identifier: MIT OR LGPL-2.1
/*
 * show.c - the commands that change nothing: list, info, features.
 */
#include <errno.h>
#include <stdlib.h>
#include <unistd.h>

#include "cli.h"

static int finish(const struct command *self, struct output *o)
{
	return output_finish(o) ? EXIT_SUCCESS : cli_fail(self, "writing the output failed");
}

/* ---- list ---- */

static void print_size(char *text, size_t size, uint64_t bytes)
{
	static const char units[] = "BKMGT";
	unsigned int unit = 0;

	while (bytes && !(bytes & 1023) && unit + 2 < sizeof(units)) {
		bytes >>= 10;
		unit++;
	}
	snprintf(text, size, "%llu%c", (unsigned long long)bytes, units[unit]);
}

static void list_line(const struct ubdx_info *info, const struct ubdx_target_info *target_info)
{
	const char *xfer = ubdx_xfer_name(info->xfer);
	const char *state = info->status & UBDX_INFO_STOPPING ? "stopping" :
								ubdx_state_name(info->state);
	char name[32], size[32];

	snprintf(name, sizeof(name), "ubdxb%d", info->id);
	print_size(size, sizeof(size), info->params.dev_sectors << UBDX_SECTOR_SHIFT);
	printf("%-10s %-8s %8s %7u %6u  %-8s %7d  %s%s%s\n", name, state, size,
	       info->params.nr_queues, info->params.depth, xfer ? xfer : "?", info->server_pid,
	       target_info->target, target_info->text[0] ? " " : "", target_info->text);
}

static int list(const struct command *self, int ctl, struct output *o)
{
	struct ubdx_target_info target_info;
	struct ubdx_info info;
	int ret, id = 0;

	if (o->json)
		output_list(o, NULL);
	else
		printf("%-10s %-8s %8s %7s %6s  %-8s %7s  %s\n", "DEVICE", "STATE", "SIZE",
		       "QUEUES", "DEPTH", "XFER", "SERVER", "TARGET");
	while (!(ret = ubdx_ctl_next(ctl, id, &info))) {
		id = info.id + 1;
		ret = ubdx_ctl_target_info(ctl, info.id, &target_info);
		if (ret == -ENODEV) /* deleted a moment ago */
			continue;
		if (ret)
			break;
		if (o->json) {
			output_begin(o, NULL);
			describe_brief(o, &info, &target_info);
			output_end(o);
		} else {
			list_line(&info, &target_info);
		}
	}
	if (ret != -ENODEV)
		return cli_lib_fail(self);
	if (o->json)
		output_list_end(o);
	return finish(self, o);
}

int cmd_list(const struct command *self, int argc, char **argv)
{
	struct output o = { .file = stdout };
	int json = 0, ctl, ret;
	const struct option_def options[] = { OPTION_JSON(&json), { 0 } };

	ret = options_no_operand(self, options, argc, argv);
	if (ret >= 0)
		return ret;
	ctl = ubdx_ctl_open();
	if (ctl < 0)
		return cli_lib_fail(self);
	o.json = json;
	ret = list(self, ctl, &o);
	close(ctl);
	return ret;
}

/* ---- info ---- */

int show_device(const struct command *self, int id, bool json)
{
	struct output o = { .file = stdout, .json = json };
	struct ubdx_target_info target_info;
	struct ubdx_info info;
	int ctl, ret;

	ctl = ubdx_ctl_open();
	if (ctl < 0)
		return cli_lib_fail(self);
	ret = ubdx_ctl_info(ctl, id, &info) ?: ubdx_ctl_target_info(ctl, id, &target_info);
	close(ctl);
	if (ret)
		return cli_lib_fail(self);
	output_begin(&o, NULL);
	describe_device(&o, &info, &target_info);
	output_end(&o);
	return finish(self, &o);
}

int cmd_info(const struct command *self, int argc, char **argv)
{
	int json = 0, id, ret;
	const struct option_def options[] = { OPTION_JSON(&json), { 0 } };

	ret = options_one_device(self, options, argc, argv, &id);
	return ret >= 0 ? ret : show_device(self, id, json);
}

/* ---- features ---- */

int cmd_features(const struct command *self, int argc, char **argv)
{
	struct output o = { .file = stdout };
	int json = 0, ctl, ret;
	const struct option_def options[] = { OPTION_JSON(&json), { 0 } };
	struct ubdx_features f;

	ret = options_no_operand(self, options, argc, argv);
	if (ret >= 0)
		return ret;
	ctl = ubdx_ctl_open();
	if (ctl < 0)
		return cli_lib_fail(self);
	ret = ubdx_ctl_features(ctl, &f);
	close(ctl);
	if (ret)
		return cli_lib_fail(self);

	o.json = json;
	output_begin(&o, NULL);
	output_number(&o, "version", f.version);
	output_number(&o, "max_queues", f.max_queues);
	output_number(&o, "max_depth", f.max_depth);
	output_number(&o, "max_io_bytes", f.max_io_bytes);
	output_number(&o, "max_devices", f.max_devices);
	output_number(&o, "devices", f.nr_devices);
	describe_modes(&o, "driver_xfer_modes", f.xfer_modes);
	describe_modes(&o, "server_xfer_modes", ubdx_xfer_modes());
	output_number(&o, "features", f.features);
	output_end(&o);
	return finish(self, &o);
}
