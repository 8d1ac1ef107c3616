// SPDX-License-Identifier: GPL-2.0
/*
 * fuzz_file.c - the fuzzer's servers register files with the driver, forward requests to these files,
 * and leave extents of them with the driver. Offsets, lengths and files may be wrong. Some files are
 * disks of the fuzzer's other servers, which may forward to ours.
 */
#define _GNU_SOURCE
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/mman.h>
#include <unistd.h>

#include "fuzz_server.h"

#define FILE_BYTES (1U << 20)
#define NR_FILES 4 /* those that are mostly used */

/* A disk with a random number. It can be our own, but is no honest server's. */
static int some_disk(struct actor *a)
{
	char path[32];

	snprintf(path, sizeof(path), "/dev/ubdxb%u", below(a, FUZZ_IDS));
	return open(path, (chance(a, 80) ? O_RDWR : O_RDONLY) | (chance(a, 70) ? O_DIRECT : 0) |
				  O_CLOEXEC | O_NONBLOCK);
}

static int memory_file(struct actor *a)
{
	int fd = memfd_create("fuzz-file", MFD_CLOEXEC | MFD_ALLOW_SEALING);

	if (fd < 0 || ftruncate(fd, chance(a, 80) ? FILE_BYTES : below(a, FILE_BYTES)))
		return fd;
	/* a WRITE to it fails */
	if (chance(a, 10))
		fcntl(fd, F_ADD_SEALS, F_SEAL_WRITE);
	return fd;
}

/* A descriptor of anything; *@ours: the caller closes it. */
static int some_descriptor(struct actor *a, const struct server *s, bool *ours)
{
	unsigned int what = below(a, 20);

	*ours = what < 17;
	if (what < 12)
		return memory_file(a);
	if (what < 16)
		return some_disk(a);
	if (what < 17)
		return open("/dev/null", O_RDWR | O_CLOEXEC);
	if (what < 18)
		return s->chan;
	return what < 19 ? -1 : (int)below(a, 32);
}

/* Register a file, perhaps in place of another one, or remove a file. */
static bool set_file(struct actor *a, struct server *s)
{
	struct ubdx_file arg = { .index = chance(a, 90) ? below(a, NR_FILES) : edge(a) };
	bool ours;
	int ret;

	arg.fd = some_descriptor(a, s, &ours);
	if (chance(a, 2))
		arg.reserved = edge(a);
	ret = ioctl(s->chan, UBDX_IOC_SET_FILE, &arg) ? -errno : 0;
	args(a, "file %u fd %d: %d; ", arg.index, arg.fd, ret);
	if (ours && arg.fd >= 0)
		close(arg.fd);
	s->has_file |= !ret;
	return !ret;
}

void act_file(struct actor *a)
{
	struct server *s = &PICK(a, fuzz_servers);

	if (s->chan >= 0 && set_file(a, s))
		worked(a);
}

static uint64_t some_place(struct actor *a)
{
	return chance(a, 90) ? (uint64_t)below(a, FILE_BYTES >> 12) << 12 : edge(a);
}

static uint32_t some_file(struct actor *a)
{
	return chance(a, 95) ? below(a, NR_FILES) : edge(a);
}

/* Make extents for an answer. Returns their number. Others may change the memory they are in. */
static unsigned int some_extents(struct actor *a, uint32_t bytes, struct ubdx_extent **extents)
{
	static struct ubdx_extent good[UBDX_MAX_EXTENTS + 1];
	unsigned int i, nr = 1 + below(a, chance(a, 80) ? 8 : ARRAY_SIZE(good));

	for (i = 0; i < nr; i++) {
		good[i] = (struct ubdx_extent){ .offset = some_place(a),
						.bytes = bytes / nr & ~511U,
						.file = some_file(a) };
		if (chance(a, 5))
			good[i].bytes = edge(a);
	}
	*extents = good;
	if (chance(a, 10))
		*extents = fuzz_area(a);
	return nr;
}

/* Forward a request, mostly to a good place, and now and then answer it a second time. */
void act_forward(struct actor *a)
{
	struct queue *q = fuzz_some_queue(a);
	struct ubdx_commit commit, good;
	struct ubdx_extent *extents;
	struct io_uring_sqe *sqe;
	bool held;

	if (!q)
		return;
	if (!q->s->has_file || chance(a, 10))
		set_file(a, q->s);
	fuzz_reap(q, fuzz_rehearses ? 20 : 2);
	held = q->nr_held;
	good = commit = fuzz_right(q, held ? q->held[--q->nr_held] : below(a, q->depth));
	args(a, "tag %u seq %u", commit.tag, commit.seq);
	if (chance(a, 10))
		commit.res = edge(a);
	if (chance(a, 5))
		commit.seq = edge(a);
	sqe = fuzz_commit(q, commit);
	if (!sqe)
		return;
	sqe->len = UBDX_COMMIT_FORWARD;
	if (chance(a, 30)) {
		((struct ubdx_commit *)sqe->cmd)->res = some_extents(a, good.res, &extents);
		sqe->len |= UBDX_COMMIT_EXTENTS;
		sqe->addr = (uintptr_t)extents;
	} else {
		sqe->len |= some_file(a) << UBDX_COMMIT_FILE_SHIFT;
		sqe->addr = some_place(a);
	}
	if (chance(a, 20))
		sqe->len |= UBDX_COMMIT_KEEP;
	if (chance(a, 15))
		sqe->len |= UBDX_COMMIT_KEEP_WRITES;
	if (chance(a, 5))
		sqe->len = edge(a);
	if (held && good.res > 0 && q->s->has_file)
		worked(a);
	fuzz_reap(q, 0);
	if (chance(a, 20))
		fuzz_commit(q, good);
	fuzz_reap(q, 0);
}

/* ---- extents ---- */

static uint64_t some_sector(struct actor *a, const struct server *s)
{
	uint64_t sectors = s->add.params.dev_sectors;

	if (chance(a, 5))
		return edge(a);
	return below(a, sectors < UINT32_MAX ? sectors + 1 : UINT32_MAX) & ~7U;
}

static struct ubdx_map_extent some_extent(struct actor *a, const struct server *s)
{
	struct ubdx_map_extent extent = {
		.sector = some_sector(a, s),
		.nr_sectors = chance(a, 95) ? 8U << below(a, 8) : edge(a),
		.flags = chance(a, 90) ? 1 + below(a, 3) : edge(a),
	};

	/* a hole has no file */
	if (chance(a, 30)) {
		extent.flags = UBDX_EXTENT_READ | UBDX_EXTENT_HOLE;
		return extent;
	}
	extent.offset = some_place(a);
	extent.file = some_file(a);
	if (chance(a, 2))
		extent.reserved = edge(a);
	return extent;
}

/* Leave extents with the driver. */
void act_extents(struct actor *a)
{
	static struct ubdx_map_extent extents[64];
	struct server *s = &PICK(a, fuzz_servers);
	struct ubdx_map_args arg = { .addr = (uintptr_t)extents,
				     .nr = 1 + below(a, chance(a, 70) ? 1 : ARRAY_SIZE(extents)) };
	unsigned int i;

	if (s->chan < 0)
		return;
	for (i = 0; i < arg.nr; i++)
		extents[i] = some_extent(a, s);
	if (chance(a, 5))
		arg.addr = (uintptr_t)fuzz_area(a);
	if (chance(a, 5))
		arg.nr = edge(a);
	if (!ioctl(s->chan, UBDX_IOC_MAP, &arg))
		worked(a);
}

/* Take some back. A drain may wait for I/O that the server itself holds up, but not for ever. */
void act_revoke(struct actor *a)
{
	struct server *s = &PICK(a, fuzz_servers);
	struct ubdx_revoke arg = { .sector = some_sector(a, s),
				   .nr_sectors = chance(a, 95) ? 8U << below(a, 16) : edge(a) };

	if (s->chan < 0)
		return;
	if (chance(a, 5))
		arg.flags = edge(a);
	if (!ioctl(s->chan, UBDX_IOC_REVOKE, &arg))
		worked(a);
}
