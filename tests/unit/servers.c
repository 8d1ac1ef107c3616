// SPDX-License-Identifier: MIT OR LGPL-2.1
/*
 * servers.c - one process serves several devices through the library, and they come and go
 * independently. Needs the driver.
 */
#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <string.h>
#include <sys/mman.h>
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

/* Write a mark to each device, then check that each has its own. */
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
	ok(same, "each device has its own data");
}

/* ---- a target whose steps do not fit ---- */

static char secret[4096];
static unsigned int complaints;

static void count_complaints(void *arg, int priority, const char *text)
{
	printf("# %s\n", text);
	complaints += strstr(text, "target liar") != NULL;
}

static int liar_open(struct ubdx_target *target, const struct ubdx_target_config *config,
		     struct ubdx_params *params)
{
	target->files[0] = memfd_create("liar", MFD_CLOEXEC);
	target->nr_files = 1;
	params->dev_sectors = BYTES >> UBDX_SECTOR_SHIFT;
	memset(secret, 's', sizeof(secret));
	return ftruncate(target->files[0], BYTES) ||
			       pwrite(target->files[0], secret, sizeof(secret), 0) < 0 ?
		       -EIO :
		       0;
}

static void liar_close(struct ubdx_target *target)
{
	close(target->files[0]);
}

/* A different wrong answer for each of the first pages. */
static int liar_resolve(struct ubdx_target *target, const struct ubdx_desc *desc, uint64_t done,
			struct ubdx_step *step)
{
	step->length = 4096;
	switch (desc->sector / 8) {
	case 0:
		step->kind = UBDX_STEP_ZERO;
		return 0;
	case 1:
		step->kind = UBDX_STEP_DONE;
		return 0;
	case 2:
		step->kind = UBDX_STEP_FILE;
		step->file = 1;
		return 0;
	case 3:
		step->kind = UBDX_NR_STEPS;
		return 0;
	default:
		step->kind = UBDX_STEP_FILE;
		step->offset = (desc->sector << UBDX_SECTOR_SHIFT) + done;
		return 0;
	}
}

static const struct ubdx_target_ops liar = {
	.name = "liar",
	.open = liar_open,
	.close = liar_close,
	.resolve = liar_resolve,
};

static void lies(void)
{
	static char buf[4096] __attribute__((aligned(4096)));
	struct ubdx_target_config config;
	struct ubdx_server_opts opts;
	struct ubdx_server *server;
	struct ubdx_target *target;
	char path[32];
	int fd, page;

	ubdx_target_config_init(&config);
	ubdx_server_opts_init(&opts);
	opts.params.nr_queues = 1;
	opts.params.depth = 4;
	opts.log = count_complaints;
	if (ubdx_target_open(&liar, &config, &opts.params, &target) ||
	    ubdx_server_start(target, &opts, &server)) {
		ok(false, "a target whose steps do not fit: %s", ubdx_errmsg());
		return;
	}
	snprintf(path, sizeof(path), "/dev/ubdxb%d", ubdx_server_id(server));
	fd = open(path, O_RDWR | O_CLOEXEC | O_DIRECT);
	for (page = 0; page < 4; page++) {
		ok(pread(fd, buf, sizeof(buf), page * 4096) < 0 && errno == EIO,
		   "a READ whose step does not fit fails, %d", page);
		ok(pwrite(fd, buf, sizeof(buf), page * 4096) < 0 && errno == EIO,
		   "so does a WRITE, %d", page);
	}
	ok(complaints >= 1, "the server complains");
	is(pread(fd, buf, sizeof(buf), 4 * 4096), sizeof(buf), "and serves other requests");
	ok(pread(target->files[0], buf, sizeof(buf), 0) == sizeof(buf) &&
		   !memcmp(buf, secret, sizeof(buf)),
	   "the file is as it was");
	close(fd);
	is(ubdx_server_free(server), 0, "it leaves");
	ubdx_target_close(target);
}

int main(void)
{
	struct ubdx_target *targets[3], *target = NULL, *refused;
	struct ubdx_server *servers[3], *again;
	struct ubdx_features before, after;
	unsigned int i;
	int fds[3], ctl;
	bool good = true;

	ctl = ubdx_ctl_open();
	if (ctl < 0)
		ok(false, "the driver's control node can be opened: %s", strerror(-ctl));
	if (ctl < 0)
		return done();
	ubdx_process_prepare(NULL, NULL);
	ubdx_ctl_features(ctl, &before);

	for (i = 0; i < 3; i++) {
		servers[i] = serve(&targets[i], -1);
		good &= servers[i] != NULL;
	}
	ok(good, "three servers in one process");
	if (!good) {
		printf("# %s\n", ubdx_errmsg());
		return done();
	}
	ok(!serve(&refused, ubdx_server_id(servers[1])), "no number is given twice");
	printf("# %s\n", ubdx_errmsg());

	for (i = 0; i < 3; i++)
		fds[i] = open_block(servers[i]);
	told_apart(fds, 3);

	is(ubdx_server_stop(servers[1], 0), -EBUSY, "an open device isn't stopped");
	ok(!is_gone(servers[1]), "and is still served");
	close(fds[1]);
	is(ubdx_server_stop(servers[1], 0), 0, "a closed device is stopped");
	again = serve(&target, ubdx_server_id(servers[1]));
	ok(again != NULL, "its number is free again, before its server has left");
	is(ubdx_server_stop(servers[1], UBDX_CTL_FORCE), -ENODEV,
	   "the first server can't stop the new device");
	is(ubdx_server_free(servers[1]), 0, "its server leaves");
	ubdx_target_close(targets[1]);
	ok(again && !is_gone(again), "and the other one serves on");
	is(ubdx_server_free(again), 0, "until it leaves, too");
	ubdx_target_close(target);
	fds[1] = fds[2];
	told_apart(fds, 2);

	is(ubdx_server_stop(servers[2], UBDX_CTL_FORCE), 0, "an open device is stopped by force");
	is(ubdx_server_free(servers[2]), 0, "its server leaves, too");
	ubdx_target_close(targets[2]);
	close(fds[2]);
	close(fds[0]);

	is(ubdx_server_free(servers[0]), 0, "a server that wasn't stopped takes its device along");
	ubdx_target_close(targets[0]);
	lies();
	ubdx_ctl_features(ctl, &after);
	is(after.nr_devices, before.nr_devices, "no device is left");
	close(ctl);
	return done();
}
