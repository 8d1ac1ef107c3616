// SPDX-License-Identifier: MIT OR LGPL-2.1
/*
 * change.c - the commands that change devices: set, del.
 */
#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <stdlib.h>
#include <string.h>
#include <sys/param.h>
#include <sys/syscall.h>
#include <time.h>
#include <unistd.h>

#include "cli.h"

/* ---- set ---- */

static int set_mode(const struct command *self, int id, const char *name, unsigned int mode)
{
	struct ubdx_info info;
	int ctl, ret;

	ctl = ubdx_ctl_open();
	if (ctl < 0)
		return cli_lib_fail(self);
	ret = ubdx_ctl_set_xfer(ctl, id, mode);
	if (!ret && !ubdx_ctl_info(ctl, id, &info) && info.state == UBDX_S_QUIESCED)
		fprintf(stderr,
			"ubdx: %s: ubdxb%d has no server; its next server uses the mode, "
			"if that server offers it\n",
			self->name, id);
	close(ctl);
	if (ret)
		return cli_fail(self, "--xfer %s: %s", name, ubdx_errmsg());
	return EXIT_SUCCESS;
}

/* Write the name to the device's file `resolver` in sysfs. */
static int set_resolver(const struct command *self, int id, const char *name)
{
	char path[64];
	ssize_t ret;
	int fd;

	snprintf(path, sizeof(path), "/sys/block/ubdxb%d/ubdx/resolver", id);
	fd = open(path, O_WRONLY | O_CLOEXEC);
	if (fd < 0 && errno == ENOENT)
		return cli_fail(self, "ubdxb%d isn't there, or wasn't added with --extents", id);
	if (fd < 0)
		return cli_fail(self, "%s: %s", path, strerror(errno));
	ret = write(fd, name, strlen(name));
	close(fd);
	if (ret >= 0)
		return EXIT_SUCCESS;
	switch (errno) {
	case ENOENT:
		return cli_fail(self, "no resolver %s is loaded; see ubdx-resolver --help", name);
	case ENODEV:
		return cli_fail(self, "ubdxb%d has no server", id);
	case EPERM:
		return cli_fail(self, "ubdxb%d's server had no CAP_SYS_ADMIN when it began", id);
	case EINVAL:
		return cli_fail(self, "chunks of resolver %s are smaller than ubdxb%d's blocks",
				name, id);
	default:
		return cli_fail(self, "--resolver %s: %s", name, strerror(errno));
	}
}

int cmd_set(const struct command *self, int argc, char **argv)
{
	const char *xfer = NULL, *resolver = NULL;
	unsigned int mode = UBDX_SET_XFER_DEFAULT;
	int json = 0, id, ret;
	const struct option_def options[] = {
		OPTION_TEXT("xfer", &xfer, "MODE",
			    "transfer mode; default: follow the module parameter"),
		OPTION_TEXT(
			"resolver", &resolver, "NAME",
			"BPF program that says where sectors are; none: detach it and leave no extents"),
		OPTION_JSON(&json),
		{ 0 },
	};

	ret = options_one_device(self, options, argc, argv, &id);
	if (ret >= 0)
		return ret;
	if (!xfer && !resolver)
		return cli_usage(self, "nothing to set; give --xfer MODE or --resolver NAME");
	if (xfer && strcmp(xfer, "default")) {
		ret = ubdx_xfer_by_name(xfer);
		if (ret < 0)
			return cli_usage(self, "unknown transfer mode %s", xfer);
		mode = ret;
	}
	if (resolver) {
		ret = set_resolver(self, id, resolver);
		if (ret)
			return ret;
	}
	if (xfer) {
		ret = set_mode(self, id, xfer, mode);
		if (ret)
			return ret;
	}
	return json ? show_device(self, id, true) : EXIT_SUCCESS;
}

/* ---- del ---- */

/* How long to wait for the server to exit after its device is gone. */
#define EXIT_WAIT_MS 5000

/*
 * Returns a pidfd of the process that serves device @id, if it runs this program and so serves
 * nothing else; otherwise -1.
 */
static int open_server(int ctl, int id)
{
	char path[32], exe[256], self[256];
	struct ubdx_info info;
	ssize_t n, m;

	if (ubdx_ctl_info(ctl, id, &info) || info.server_pid <= 0)
		return -1;
	snprintf(path, sizeof(path), "/proc/%d/exe", info.server_pid);
	n = readlink(path, exe, sizeof(exe));
	m = readlink("/proc/self/exe", self, sizeof(self));
	if (n <= 0 || n != m || memcmp(exe, self, n))
		return -1;
	return syscall(SYS_pidfd_open, info.server_pid, 0);
}

/* Wait until the server has exited: the caller may unload the module after this command. */
static void await_exit(int server)
{
	struct pollfd fd = { .fd = server, .events = POLLIN };

	if (server < 0)
		return;
	poll(&fd, 1, EXIT_WAIT_MS);
	close(server);
}

/* udev opens a device for a moment when it appears, and after each close by a writer. */
#define IN_USE_WAIT_MS 5000
#define IN_USE_POLL_MS 20

static int64_t now_ms(void)
{
	struct timespec now;

	clock_gettime(CLOCK_MONOTONIC, &now);
	return now.tv_sec * 1000LL + now.tv_nsec / 1000000;
}

/*
 * One run of the command: how to delete devices, and the result.
 * @patience_until: deadline for retries while a device is in use; CLOCK_MONOTONIC, ms.
 * @result: the exit status: that of the first failure.
 */
struct deletion {
	const struct command *self;
	struct output *output;
	int ctl;
	unsigned int flags;
	uint64_t timeout_ms;
	int64_t patience_until;
	int result;
};

static void del_failed(struct deletion *d, int status)
{
	if (!d->result)
		d->result = status;
}

static int del_patiently(const struct deletion *d, int id)
{
	int64_t until = d->timeout_ms ? now_ms() + (int64_t)d->timeout_ms : d->patience_until;
	unsigned int left = d->timeout_ms; /* 0: no limit */
	int ret;

	while ((ret = ubdx_ctl_del(d->ctl, id, d->flags, left)) == -EBUSY && now_ms() < until) {
		poll(NULL, 0, IN_USE_POLL_MS);
		if (left)
			left = MAX(until - now_ms(), 1);
	}
	/* -EBUSY with --in-use: the device has no server that could write dirty data back. */
	if (ret == -EBUSY && d->timeout_ms)
		ret = ubdx_ctl_del(d->ctl, id, UBDX_CTL_FORCE, 0);
	return ret;
}

static int del_refused(const struct deletion *d, int id)
{
	struct ubdx_info info;

	if (!ubdx_ctl_info(d->ctl, id, &info) && info.state == UBDX_S_QUIESCED)
		return cli_fail(
			d->self,
			"ubdxb%d has no server, and requests of programs or of the partition scan "
			"wait for one; recover it first, or use --force",
			id);
	return cli_fail(d->self,
			"ubdxb%d is in use; unmount or close it first, or use --in-use or --force",
			id);
}

static void del_one(struct deletion *d, int id)
{
	int server = open_server(d->ctl, id);
	int ret = del_patiently(d, id);

	if (!ret) {
		await_exit(server);
		if (d->output->json)
			output_number(d->output, NULL, id);
		return;
	}
	if (server >= 0)
		close(server);
	del_failed(d, ret == -EBUSY ? del_refused(d, id) : cli_lib_fail(d->self));
}

static void del_all(struct deletion *d)
{
	struct ubdx_info info;
	int ret, id = 0;

	while (!(ret = ubdx_ctl_next(d->ctl, id, &info))) {
		del_one(d, info.id);
		id = info.id + 1;
	}
	if (ret != -ENODEV)
		del_failed(d, cli_lib_fail(d->self));
}

int cmd_del(const struct command *self, int argc, char **argv)
{
	int all = 0, in_use = 0, force = 0, json = 0, first, i, id, ret;
	uint64_t timeout = OPTION_UNSET;
	const struct option_def options[] = {
		OPTION_SET("all", &all, 1, "delete all devices"),
		OPTION_SET("in-use", &in_use, UBDX_CTL_IN_USE,
			   "delete even if in use; write dirty data back first"),
		{ "timeout", OPTION_NUMBER, &timeout, 1, 86400, "SECONDS",
		  "with --in-use: use force after that time (no limit)" },
		OPTION_SET("force", &force, UBDX_CTL_FORCE,
			   "delete even if in use, at once; what is not written is lost"),
		OPTION_JSON(&json),
		{ 0 },
	};
	struct output output = { .file = stdout };
	struct deletion d = { .self = self, .output = &output };

	ret = options_parse(self, options, argc, argv, &first);
	if (ret >= 0)
		return ret;
	if (all ? first < argc : first == argc)
		return cli_usage(self, "name a device, or --all");
	if (in_use && force)
		return cli_usage(self, "--in-use and --force exclude each other");
	if (timeout != OPTION_UNSET && !in_use)
		return cli_usage(self, "--timeout needs --in-use");
	for (i = first; i < argc; i++)
		if ((ret = options_device(self, argv[i], &id)) >= 0)
			return ret;
	d.ctl = ubdx_ctl_open();
	if (d.ctl < 0)
		return cli_lib_fail(self);
	d.flags = in_use | force;
	d.timeout_ms = timeout == OPTION_UNSET ? 0 : timeout * 1000;
	d.patience_until = now_ms() + IN_USE_WAIT_MS;
	output.json = json;

	if (json) {
		output_begin(&output, NULL);
		output_list(&output, "deleted");
	}
	if (all)
		del_all(&d);
	for (i = first; i < argc; i++)
		if (!parse_device(argv[i], &id))
			del_one(&d, id);
	close(d.ctl);
	if (json) {
		output_list_end(&output);
		output_end(&output);
		if (!output_finish(&output))
			del_failed(&d, cli_fail(self, "writing the output failed"));
	}
	return d.result;
}
