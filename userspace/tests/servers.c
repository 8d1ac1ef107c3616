// SPDX-License-Identifier: MIT OR LGPL-2.1
/*
 * servers.c - one process serves several devices through the library, and they come and go
 * independently. Needs the driver, and is skipped without.
 */
#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <string.h>
#include <unistd.h>

#include "libubdx.h"
#include "tap.h"

#define BYTES (64U << 20)

static struct ubdx_server *serve(struct ubdx_target **target, int id)
{
	struct ubdx_target_config config;
	struct ubdx_server_opts opts;
	struct ubdx_server *server;

	ubdx_target_config_init(&config);
	ubdx_server_opts_init(&opts);
	config.bytes = BYTES;
	opts.id = id;
	opts.params.nr_queues = 2;
	opts.params.depth = 16;
	if (ubdx_target_open(ubdx_target_find("mem"), &config, &opts.params, target))
		return NULL;
	if (!ubdx_server_start(*target, &opts, &server))
		return server;
	ubdx_target_close(*target);
	return NULL;
}

static int open_block(const struct ubdx_server *server)
{
	char path[32];

	snprintf(path, sizeof(path), "/dev/ubdxb%d", ubdx_server_id(server));
	return open(path, O_RDWR | O_CLOEXEC);
}

static bool is_gone(const struct ubdx_server *server)
{
	struct pollfd fd = { .fd = ubdx_server_fd(server), .events = POLLIN };

	return poll(&fd, 1, 0) == 1;
}

/* Mark each device, then see that each has its own mark. */
static void told_apart(const int *fds, unsigned int nr)
{
	unsigned int i;
	bool same = true;
	char buf[4096];

	for (i = 0; i < nr; i++) {
		memset(buf, 'a' + i, sizeof(buf));
		same &= pwrite(fds[i], buf, sizeof(buf), BYTES / 2) == sizeof(buf);
		same &= !fsync(fds[i]) && !posix_fadvise(fds[i], 0, 0, POSIX_FADV_DONTNEED);
	}
	for (i = 0; i < nr; i++)
		same &= pread(fds[i], buf, sizeof(buf), BYTES / 2) == sizeof(buf) &&
			buf[0] == (char)('a' + i);
	tap_ok(same, "each device has its own data");
}

int main(void)
{
	struct ubdx_target *targets[3], *target = NULL, *refused;
	struct ubdx_server *servers[3], *again;
	struct ubdx_features before, after;
	unsigned int i;
	int fds[3], ctl;
	bool ok = true;

	ctl = ubdx_ctl_open();
	if (ctl < 0)
		tap_skip_all("no ubdx driver here");
	ubdx_process_prepare(NULL, NULL);
	ubdx_ctl_features(ctl, &before);

	for (i = 0; i < 3; i++) {
		servers[i] = serve(&targets[i], -1);
		ok &= servers[i] != NULL;
	}
	tap_ok(ok, "three servers in one process");
	if (!ok) {
		printf("# %s\n", ubdx_errmsg());
		return tap_done();
	}
	tap_ok(!serve(&refused, ubdx_server_id(servers[1])), "no number is given twice");
	printf("# %s\n", ubdx_errmsg());

	for (i = 0; i < 3; i++)
		fds[i] = open_block(servers[i]);
	told_apart(fds, 3);

	tap_is(ubdx_server_stop(servers[1], 0), -EBUSY, "an open device isn't stopped");
	tap_ok(!is_gone(servers[1]), "and is still served");
	close(fds[1]);
	tap_is(ubdx_server_stop(servers[1], 0), 0, "a closed one is");
	again = serve(&target, ubdx_server_id(servers[1]));
	tap_ok(again != NULL, "its number can be had again, before its server has left");
	tap_is(ubdx_server_stop(servers[1], UBDX_CTL_FORCE), -ENODEV,
	       "which isn't that server's device");
	tap_is(ubdx_server_free(servers[1]), 0, "its server leaves");
	ubdx_target_close(targets[1]);
	tap_ok(again && !is_gone(again), "and the other one serves on");
	tap_is(ubdx_server_free(again), 0, "until it leaves, too");
	ubdx_target_close(target);
	fds[1] = fds[2];
	told_apart(fds, 2);

	tap_is(ubdx_server_stop(servers[2], UBDX_CTL_FORCE), 0,
	       "an open device is stopped by force");
	tap_is(ubdx_server_free(servers[2]), 0, "its server leaves, too");
	ubdx_target_close(targets[2]);
	close(fds[2]);
	close(fds[0]);

	tap_is(ubdx_server_free(servers[0]), 0,
	       "a server that wasn't stopped takes its device along");
	ubdx_target_close(targets[0]);
	ubdx_ctl_features(ctl, &after);
	tap_is(after.nr_devices, before.nr_devices, "no device is left");
	close(ctl);
	return tap_done();
}
