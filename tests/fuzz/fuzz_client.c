// SPDX-License-Identifier: GPL-2.0
/*
 * fuzz_client.c - the fuzzer's users of the block devices: reads and writes of all kinds and
 * shapes, and the ioctls of a block device.
 *
 * What a client reads must come from the device's server, which never knows FUZZ_CANARY. Memory
 * that a request failed to fill can contain it, though: act_canary() fills memory with it and frees
 * that memory, so that the kernel uses it for something else. (The kernel must not clear what it
 * allocates: init_on_alloc=0.)
 */
#define _GNU_SOURCE
#include <errno.h>
#include <fcntl.h>
#include <liburing.h>
#include <linux/blkpg.h>
#include <linux/fs.h>
#include <poll.h>
#include <stdio.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/mman.h>
#include <sys/sendfile.h>
#include <sys/uio.h>
#include <unistd.h>

#include "fuzz.h"

#define MEM_BYTES (2UL << 20)
#define BATCH 32

static int fd = -1; /* the open device */
static uint64_t size; /* of that device */
static char *mem;
static struct io_uring ring;

static void init(struct actor *a)
{
	mem = mmap(NULL, MEM_BYTES, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
	io_uring_queue_init(BATCH, &ring, 0);
}

static void look(struct actor *a, const char *what, const void *data, size_t bytes)
{
	const uint64_t *words = (const void *)(((uintptr_t)data + 7) & ~7UL);
	size_t i;

	if (fuzz_trusts(a))
		return;
	/* a canary fills whole pages, so one look at each 64 bytes suffices */
	for (i = 0; i + 1 < bytes / 8; i += 8)
		if (words[i] == FUZZ_CANARY)
			broken("%s read memory that isn't the device's", what);
}

/* ---- opening ---- */

static void open_device(struct actor *a)
{
	static const int flags[] = { O_RDWR,
				     O_RDWR | O_DIRECT,
				     O_RDWR | O_DIRECT,
				     O_RDWR | O_DIRECT | O_SYNC,
				     O_RDWR | O_EXCL,
				     O_RDONLY,
				     O_RDWR | O_DSYNC | O_NONBLOCK };
	unsigned int id = below(a, FUZZ_IDS), tries, part = below(a, 20);
	int how = PICK(a, flags);
	char path[32];

	if (fd >= 0)
		close(fd);
	for (fd = -1, tries = 0; fd < 0 && tries < FUZZ_IDS; tries++) {
		snprintf(path, sizeof(path), part ? "/dev/ubdxb%u" : "/dev/ubdxb%up1",
			 (id + tries) % FUZZ_IDS);
		fd = open(path, how | O_CLOEXEC);
	}
	args(a, "%s flags %x: %d; ", path, how, fd < 0 ? -errno : 0);
	if (fd < 0)
		poll(NULL, 0, 5); /* no device can be opened yet */
}

static void act_open(struct actor *a)
{
	open_device(a);
	if (fd >= 0)
		worked(a);
}

/* Is a live device open, or can one be opened? */
static bool ready(struct actor *a)
{
	bool bored = chance(a, 30); /* give up an open device if it is dead */

	if (fd < 0 || (bored && (ioctl(fd, BLKGETSIZE64, &size) || !size)))
		open_device(a);
	return fd >= 0 && !ioctl(fd, BLKGETSIZE64, &size);
}

static void act_close(struct actor *a)
{
	if (fd >= 0) {
		close(fd);
		worked(a);
	}
	fd = -1;
}

/* ---- reading and writing ---- */

static off_t inside(struct actor *a)
{
	return below(a, (size >> 12) + 1) * 4096L;
}

/* Choose place and length, mostly within the device. */
static off_t some_place(struct actor *a, size_t *bytes)
{
	if (chance(a, 10)) {
		*bytes = below(a, MEM_BYTES) + 1;
		return edge(a) & ~0ULL >> 1;
	}
	*bytes = 512UL << below(a, 12);
	if (chance(a, 20))
		*bytes *= 1 + below(a, 15);
	if (*bytes > MEM_BYTES / 2)
		*bytes = MEM_BYTES / 2;
	return inside(a);
}

static char *some_memory(struct actor *a)
{
	return mem + (chance(a, 80) ? below(a, 128) * 512 : below(a, 65536));
}

static void act_read(struct actor *a)
{
	size_t bytes;
	off_t at = some_place(a, &bytes);
	char *p = some_memory(a);
	struct iovec iov[2] = { { p, bytes / 2 }, { p + bytes / 2, bytes - bytes / 2 } };
	ssize_t n;

	args(a, "%zu at %lx", bytes, at);
	if (!ready(a))
		return;
	n = chance(a, 70) ? pread(fd, p, bytes, at) :
			    preadv2(fd, iov, 2, at, below(a, 2) * RWF_NOWAIT);
	if (n > 0) {
		worked(a);
		look(a, "a client", p, n);
	}
}

static void act_write(struct actor *a)
{
	static const int flags[] = { 0, 0, RWF_SYNC, RWF_DSYNC, RWF_NOWAIT, RWF_HIPRI };
	size_t bytes;
	off_t at = some_place(a, &bytes);
	struct iovec iov = { some_memory(a), bytes };

	args(a, "%zu at %lx", bytes, at);
	if (ready(a) && pwritev2(fd, &iov, 1, at, PICK(a, flags)) > 0)
		worked(a);
}

/* Many requests at once, so that they reach the driver as a batch. */
static void act_batch(struct actor *a)
{
	struct __kernel_timespec soon = { .tv_nsec = 200 * 1000 * 1000 };
	unsigned int i, n = 1 + below(a, BATCH), head, seen = 0;
	unsigned int bytes = 512 << below(a, 8);
	bool write = chance(a, 40);
	struct io_uring_cqe *cqe;

	args(a, "%u of %u", n, bytes);
	if (!ready(a))
		return;
	for (i = 0; i < n; i++) {
		struct io_uring_sqe *sqe = io_uring_get_sqe(&ring);

		if (!sqe)
			break;
		io_uring_prep_rw(write ? IORING_OP_WRITE : IORING_OP_READ, sqe, fd,
				 mem + i * 65536UL % MEM_BYTES, bytes, inside(a));
	}
	io_uring_submit_and_wait_timeout(&ring, &cqe, n, &soon, NULL);
	io_uring_for_each_cqe(&ring, head, cqe)
	{
		seen++;
		if (cqe->res > 0)
			worked(a);
	}
	io_uring_cq_advance(&ring, seen);
	if (!write && seen == n)
		look(a, "a batch", mem, n * 65536UL < MEM_BYTES ? n * 65536UL : MEM_BYTES);
}

static void act_map(struct actor *a)
{
	size_t bytes = (1 + below(a, 16)) * 4096, i;
	off_t at = inside(a);
	bool write = chance(a, 50);
	volatile char *p;

	args(a, "%zu at %lx", bytes, at);
	if (!ready(a))
		return;
	p = mmap(NULL, bytes, write ? PROT_READ | PROT_WRITE : PROT_READ, MAP_SHARED, fd, at);
	if (p == MAP_FAILED)
		return;
	fuzz_touching = true;
	if (!sigsetjmp(fuzz_after_fault, 1)) {
		for (i = 0; i < bytes; i += 4096) {
			if (write)
				p[i] = 1;
			else
				look(a, "a mapping", (char *)p + i, 4096);
		}
		msync((void *)p, bytes, below(a, 2) ? MS_SYNC : MS_ASYNC);
		worked(a);
	}
	fuzz_touching = false;
	munmap((void *)p, bytes);
}

static void act_splice(struct actor *a)
{
	size_t bytes;
	off_t at = some_place(a, &bytes);
	int pipes[2];
	ssize_t n;

	args(a, "%zu at %lx", bytes, at);
	if (!ready(a) || pipe2(pipes, O_CLOEXEC | O_NONBLOCK))
		return;
	n = chance(a, 50) ? splice(fd, &at, pipes[1], NULL, bytes, SPLICE_F_NONBLOCK) :
			    sendfile(pipes[1], fd, &at, bytes);
	if (n > 0) {
		worked(a);
		n = read(pipes[0], mem, n);
		look(a, "a pipe", mem, n > 0 ? n : 0);
	}
	close(pipes[0]);
	close(pipes[1]);
}

/* ---- memory that isn't the device's ---- */

/*
 * Spread the canary over free memory, and make the device's page cache use some of that memory. The
 * canary goes through a pipe, because a pipe's pages come from the same free lists as those of a
 * page cache; the pages of a process don't.
 */
static void act_canary(struct actor *a)
{
	size_t bytes = (16 + below(a, 240)) * 4096, i;
	off_t at = inside(a);
	uint64_t *words;
	int pipes[2];
	ssize_t n;

	args(a, "%zu, %lx", bytes, at);
	if (!ready(a) || pipe2(pipes, O_CLOEXEC | O_NONBLOCK))
		return;
	words = mmap(NULL, bytes, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
	if (words == MAP_FAILED)
		return;
	for (i = 0; i < bytes / 8; i++)
		words[i] = FUZZ_CANARY;
	fcntl(pipes[1], F_SETPIPE_SZ, 1 << 20);
	posix_fadvise(fd, 0, 0, POSIX_FADV_DONTNEED);
	if (write(pipes[1], words, bytes) == (ssize_t)bytes)
		worked(a);
	close(pipes[0]);
	close(pipes[1]);
	n = pread(fd, mem, 65536, at);
	look(a, "a client", mem, n > 0 ? n : 0);
	munmap(words, bytes);
}

/* ---- the rest ---- */

static void act_sync(struct actor *a)
{
	unsigned int what = below(a, 5);
	int ret = -1;

	args(a, "%u", what);
	if (!ready(a))
		return;
	switch (what) {
	case 0:
		ret = fsync(fd);
		break;
	case 1:
		ret = fdatasync(fd);
		break;
	case 2:
		ret = sync_file_range(fd, 0, 0, SYNC_FILE_RANGE_WRITE);
		break;
	case 3:
		ret = posix_fadvise(fd, 0, 0, POSIX_FADV_DONTNEED);
		break;
	default:
		ret = posix_fadvise(fd, inside(a), 1 << 20, POSIX_FADV_WILLNEED);
		break;
	}
	if (!ret)
		worked(a);
}

static void act_discard(struct actor *a)
{
	static const unsigned long cmds[] = { BLKDISCARD, BLKZEROOUT, BLKSECDISCARD };
	static const int modes[] = { FALLOC_FL_PUNCH_HOLE | FALLOC_FL_KEEP_SIZE,
				     FALLOC_FL_ZERO_RANGE,
				     FALLOC_FL_ZERO_RANGE | FALLOC_FL_KEEP_SIZE };
	uint64_t range[2] = { chance(a, 80) ? inside(a) : edge(a),
			      chance(a, 80) ? below(a, 512) * 4096UL : edge(a) };
	bool by_ioctl = chance(a, 60);

	args(a, "%lx + %lx", range[0], range[1]);
	if (!ready(a))
		return;
	if (by_ioctl ? !ioctl(fd, PICK(a, cmds), range) :
		       !fallocate(fd, PICK(a, modes), range[0], range[1]))
		worked(a);
}

static void act_ioctl(struct actor *a)
{
	static const unsigned long cmds[] = { BLKRRPART, BLKFLSBUF, BLKROSET,	 BLKRASET,
					      BLKBSZSET, BLKPG,	    BLKGETSIZE64 };
	unsigned long cmd = PICK(a, cmds);
	uint32_t arg[16] = { cmd == BLKROSET ? chance(a, 10) : edge(a) };

	args(a, "%lx %x", cmd, arg[0]);
	if (!ready(a))
		return;
	if (!ioctl(fd, cmd, cmd == BLKRASET ? below(a, 4096) : (uintptr_t)arg))
		worked(a);
}

static const struct action actions[] = {
	{ "open", 3, act_open, 55 },	  { "close", 1, act_close, 65 },
	{ "read", 20, act_read, 35 },	  { "write", 20, act_write, 15 },
	{ "batch", 20, act_batch, 40 },	  { "mapping", 4, act_map, 35 },
	{ "splice", 5, act_splice, 35 },  { "sync", 5, act_sync, 60 },
	{ "discard", 5, act_discard, 6 }, { "blkioctl", 5, act_ioctl, 40 },
	{ "canary", 10, act_canary, 65 }, {},
};

const struct role fuzz_client = { .name = "client", .weight = 4, .init = init, .actions = actions };
