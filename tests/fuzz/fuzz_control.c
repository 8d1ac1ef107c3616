// SPDX-License-Identifier: GPL-2.0
/*
 * fuzz_control.c - the fuzzer's callers of everything beside the data path: control ioctls with
 * right and wrong arguments, other processes' channels, reads and writes that must fail, sysfs,
 * module parameters and trace events.
 */
#define _GNU_SOURCE
#include <errno.h>
#include <fcntl.h>
#include <linux/ioctl.h>
#include <poll.h>
#include <stdio.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/mman.h>
#include <sys/uio.h>
#include <unistd.h>

#include "fuzz.h"

static int ctl = -1;
static char *last_page; /* the page after it is not mapped */

static void init(struct actor *a)
{
	char *p = mmap(NULL, 8192, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);

	ctl = open("/dev/" UBDX_CONTROL_NAME, O_RDWR | O_CLOEXEC);
	munmap(p + 4096, 4096);
	last_page = p;
}

/* Mostly the number of a device that exists. */
static int some_id(struct actor *a)
{
	struct ubdx_info info = { .id = below(a, FUZZ_IDS), .flags = UBDX_INFO_NEXT };

	if (chance(a, 10))
		return edge(a);
	if (chance(a, 50))
		ioctl(ctl, UBDX_IOC_INFO, &info);
	return info.id;
}

/* ---- ioctls ---- */

/* Change some 32-bit words of the struct at @p. */
static void spoil(struct actor *a, void *p, size_t bytes)
{
	unsigned int i, n = below(a, 4);
	uint32_t *words = p;

	for (i = 0; i < n; i++)
		words[below(a, bytes / 4)] = edge(a);
}

static void count(struct actor *a, int ret)
{
	args(a, ": %d", ret ? -errno : 0);
	if (!ret)
		worked(a);
}

static void act_add(struct actor *a)
{
	struct ubdx_add add = {
		.version = UBDX_VERSION,
		.id = chance(a, 80) ? -1 : some_id(a),
		.xfer_modes = 1,
		.params = {
			.dev_sectors = 8 + below(a, 100) * 8,
			.nr_queues = below(a, 3),
			.depth = chance(a, 90) ? below(a, 64) : below(a, UBDX_MAX_DEPTH + 2),
			.timeout_ms = 1000,
			.numa_node = -1,
		},
	};

	spoil(a, &add, sizeof(add));
	/* a device that another server can open must not keep its clients for long */
	if (add.params.timeout_ms > 2000)
		add.params.timeout_ms = 2000;
	if (!add.params.timeout_ms)
		add.params.timeout_ms = 1000;
	args(a, "id %d depth %u", add.id, add.params.depth);
	if (chance(a, 90)) {
		count(a, ioctl(ctl, UBDX_IOC_ADD, &add));
		return;
	}
	/* the answer can't be written */
	memcpy(last_page, &add, sizeof(add));
	mprotect(last_page, 4096, PROT_READ);
	args(a, " read-only");
	if (!ioctl(ctl, UBDX_IOC_ADD, last_page))
		broken("ADD succeeds though its answer can't be written");
	mprotect(last_page, 4096, PROT_READ | PROT_WRITE);
}

static void act_ctl(struct actor *a)
{
	static const unsigned int cmds[] = { UBDX_IOC_START, UBDX_IOC_STOP, UBDX_IOC_DEL,
					     UBDX_IOC_QUIESCE };
	struct ubdx_ctl arg = { .id = some_id(a), .flags = below(a, chance(a, 70) ? 2 : 16) };
	unsigned int cmd = PICK(a, cmds);

	/* honest devices should live for a while */
	if (arg.id >= FUZZ_IDS && chance(a, 80))
		arg.id = below(a, FUZZ_IDS);
	if (cmd == UBDX_IOC_QUIESCE && chance(a, 80))
		arg.flags = 0;
	if (chance(a, 10))
		arg.xfer_modes = edge(a);
	if (chance(a, 10))
		spoil(a, &arg, sizeof(arg));
	args(a, "%x id %d flags %x", cmd, arg.id, arg.flags);
	count(a, ioctl(ctl, cmd, &arg));
}

static void act_info(struct actor *a)
{
	struct ubdx_info info = { .id = some_id(a), .flags = below(a, 2) };

	if (chance(a, 10))
		spoil(a, &info, sizeof(info));
	args(a, "id %d flags %x", info.id, info.flags);
	count(a, ioctl(ctl, UBDX_IOC_INFO, &info));
}

static void act_set(struct actor *a)
{
	static const uint32_t modes[] = { UBDX_XFER_COPY, UBDX_SET_XFER_DEFAULT, FUZZ_NR_XFER, 31,
					  64 };
	struct ubdx_set set = { .id = some_id(a), .xfer = PICK(a, modes) };

	if (chance(a, 10))
		spoil(a, &set, sizeof(set));
	args(a, "id %d xfer %u", set.id, set.xfer);
	count(a, ioctl(ctl, UBDX_IOC_SET, &set));
}

/* Any command number, any size, and an argument that is only partly mapped. */
static void act_ioctl(struct actor *a)
{
	unsigned int nr = chance(a, 80) ? below(a, 10) : below(a, 256);
	unsigned int size = chance(a, 50) ? below(a, 1 << 14) : below(a, 256);
	unsigned int dir = below(a, 4);
	unsigned long cmd = _IOC(dir, 0xBD, nr, size);
	static const unsigned long known[] = {
		UBDX_IOC_FEATURES, UBDX_IOC_ADD, UBDX_IOC_START,   UBDX_IOC_STOP,    UBDX_IOC_DEL,
		UBDX_IOC_INFO,	   UBDX_IOC_SET, UBDX_IOC_QUIESCE, UBDX_IOC_SET_FILE
	};
	uint64_t arg;

	if (chance(a, 50))
		cmd = PICK(a, known);
	if (chance(a, 50)) {
		arg = (uintptr_t)last_page + 4096 - below(a, 200);
		memset(last_page, 0, 4096);
	} else {
		arg = edge(a);
	}
	args(a, "%lx %lx", cmd, arg);
	count(a, ioctl(ctl, cmd, arg));
}

/* ---- channels, and files that have no data ---- */

static int open_node(struct actor *a, int flags)
{
	char path[32];

	snprintf(path, sizeof(path), "/dev/ubdxc%d", below(a, FUZZ_IDS + FUZZ_HONEST));
	args(a, "%s flags %x", path, flags);
	return open(path, flags | O_CLOEXEC);
}

/* Be the server of another process's device, for a moment or for longer. */
static void act_steal(struct actor *a)
{
	static const int flags[] = { O_RDWR, O_RDONLY, O_WRONLY, O_RDWR | O_NONBLOCK,
				     O_PATH, O_DIRECT };
	int fd = open_node(a, PICK(a, flags));

	if (fd < 0)
		return;
	worked(a);
	if (chance(a, 20))
		poll(NULL, 0, below(a, 50));
	close(fd);
}

/*
 * Reads, writes, splices and similar calls at any position of a control or channel file. All must
 * fail.
 */
static void act_position(struct actor *a)
{
	int fd = chance(a, 50) ? open("/dev/" UBDX_CONTROL_NAME, O_RDWR | O_CLOEXEC) :
				 open_node(a, O_RDWR);
	unsigned int what = below(a, 10), bytes = below(a, 4096);
	off_t at = chance(a, 50) ? (off_t)edge(a) : (off_t)(below(a, 4) << 24 | below(a, 1 << 20));
	struct iovec iov = { last_page, bytes + 1 };
	struct pollfd pfd = { .fd = fd, .events = POLLIN };
	ssize_t n = -1;
	int pipes[2];

	args(a, " %u at %lx", what, at);
	if (fd < 0)
		return;
	worked(a);
	if (pipe2(pipes, O_CLOEXEC | O_NONBLOCK)) {
		close(fd);
		return;
	}
	switch (what) {
	case 0:
		n = pread(fd, last_page, bytes + 1, at);
		break;
	case 1:
		n = pwrite(fd, last_page, bytes + 1, at);
		break;
	case 2:
		n = preadv2(fd, &iov, 1, at, below(a, 64));
		break;
	case 3:
		n = pwritev2(fd, &iov, 1, at, below(a, 64));
		break;
	case 4:
		n = splice(fd, &at, pipes[1], NULL, bytes + 1, below(a, 16));
		break;
	case 5:
		if (write(pipes[1], last_page, 4096) == 4096)
			n = splice(pipes[0], NULL, fd, &at, bytes + 1, below(a, 16));
		break;
	case 6:
		n = copy_file_range(fd, &at, pipes[1], NULL, bytes + 1, 0);
		break;
	case 7:
		n = fallocate(fd, below(a, 128), at, bytes + 1) ? -1 : 1;
		break;
	case 8:
		n = ftruncate(fd, at) ? -1 : 1;
		break;
	default:
		/* these may succeed or fail */
		poll(&pfd, 1, 0);
		lseek(fd, at, below(a, 5));
		fsync(fd);
		ioctl(fd, edge(a), last_page);
		break;
	}
	if (n > 0)
		broken("operation %u succeeded on a control or channel file", what);
	close(pipes[0]);
	close(pipes[1]);
	close(fd);
}

/* ---- sysfs and tracing ---- */

/* Returns 0 if the kernel accepted it. */
static int write_file(const char *path, const char *text)
{
	int fd = open(path, O_WRONLY | O_CLOEXEC), ret;

	if (fd < 0)
		return -1;
	ret = write(fd, text, strlen(text)) < 0;
	close(fd);
	return ret;
}

static void act_parameter(struct actor *a)
{
	static const struct {
		const char *name;
		const char *good[2];
	} parameters[] = {
		{ "xfer", { "copy", "map" } },
		{ "map_when", { "fault", "eager" } },
	};
	static const char *const bad[] = { "copy\n\n", "18446744073709551616", "-1", "" };
	unsigned int i = below(a, ARRAY_SIZE(parameters));
	const char *name = parameters[i].name;
	const char *value = chance(a, 60) ? PICK(a, parameters[i].good) : PICK(a, bad);
	char path[64];

	snprintf(path, sizeof(path), "/sys/module/ubdx/parameters/%s", name);
	args(a, "%s %s", name, value);
	count(a, write_file(path, value));
}

static void act_sysfs(struct actor *a)
{
	static const struct {
		const char *name;
		const char *values[4];
	} files[] = {
		{ "ubdx/xfer", { "copy", "default", "map", "" } },
		{ "ubdx/state", { "live" } },
		/* not bfq: when a request ends, 7.3's takes queue_lock in bfqd->lock, which is a deadlock */
		{ "queue/scheduler", { "none", "mq-deadline", "kyber" } },
		{ "queue/nr_requests", { "4", "16", "128", "4096" } },
		{ "queue/max_sectors_kb", { "4", "64", "1024", "0" } },
		{ "queue/read_ahead_kb", { "0", "128", "4096" } },
		{ "queue/nomerges", { "0", "1", "2" } },
		{ "queue/rq_affinity", { "0", "1", "2" } },
		{ "queue/write_cache", { "write back", "write through" } },
		{ "queue/rotational", { "0", "1" } },
		{ "queue/iostats", { "0", "1" } },
		{ "queue/discard_max_bytes", { "0", "4096", "1048576" } },
		{ "uevent", { "add", "change" } },
	};
	unsigned int i = below(a, ARRAY_SIZE(files)), id = below(a, FUZZ_IDS + FUZZ_HONEST);
	unsigned int v = below(a, 4);
	const char *value = files[i].values[v] ?: files[i].values[0];
	char path[96];

	snprintf(path, sizeof(path), "/sys/block/ubdxb%u/%s", id, files[i].name);
	args(a, "%u %s %s", id, files[i].name, value);
	count(a, write_file(path, value));
}

static void act_attributes(struct actor *a)
{
	static const char *const names[] = { "state",	 "server_pid", "xfer",	"xfer_wanted",
					     "counters", "errors",     "queues" };
	unsigned int id = below(a, FUZZ_IDS + FUZZ_HONEST), i;
	char path[96], text[4096];

	args(a, "%u", id);
	for (i = 0; i < ARRAY_SIZE(names); i++) {
		int fd;

		snprintf(path, sizeof(path), "/sys/block/ubdxb%u/ubdx/%s", id, names[i]);
		fd = open(path, O_RDONLY | O_CLOEXEC);
		if (fd < 0)
			return;
		if (read(fd, text, sizeof(text)) > 0)
			worked(a);
		close(fd);
	}
}

static void act_trace(struct actor *a)
{
	bool on = chance(a, 30);

	args(a, "%d", on);
	count(a, write_file("/sys/kernel/tracing/events/ubdx/enable", on ? "1" : "0"));
}

static const struct action actions[] = {
	{ "info", 20, act_info, 80 },
	{ "add", 5, act_add, 25 },
	{ "ctl", 4, act_ctl, 25 },
	{ "set", 10, act_set, 25 },
	{ "ioctl", 20, act_ioctl, 7 },
	{ "steal", 3, act_steal, 15 },
	{ "position", 20, act_position, 60 },
	{ "parameter", 5, act_parameter, 30 },
	{ "sysfs", 10, act_sysfs, 20 },
	{ "attributes", 10, act_attributes, 25 },
	{ "trace", 1, act_trace, 90 },
	{},
};

const struct role fuzz_control = { .name = "control",
				   .weight = 2,
				   .init = init,
				   .actions = actions };
