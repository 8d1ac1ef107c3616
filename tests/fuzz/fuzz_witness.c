// SPDX-License-Identifier: GPL-2.0
/*
 * fuzz_witness.c - the clients of honest devices, which check what the driver promises about
 * recovery.
 *
 * A *witness* is such a client. It writes whole units, each time with a new version, and reads them
 * again. The rules:
 *	- A WRITE that succeeded is read back, whatever has happened to servers meanwhile. A WRITE
 *	  that failed leaves any mixture of the versions since the last success.
 *	- On a device with UBDX_RECOVERY_REISSUE no request fails as long as the device exists.
 *	- On a device with UBDX_RECOVERY_QUEUE no server sees a WRITE that another server has seen.
 * A witness locks the units that it uses with fcntl(2). The kernel unlocks them when the witness
 * dies, which is after its I/O has ended.
 */
#define _GNU_SOURCE
#include <errno.h>
#include <fcntl.h>
#include <linux/fs.h>
#include <poll.h>
#include <stdio.h>
#include <sys/ioctl.h>
#include <sys/mman.h>
#include <unistd.h>

#include "fuzz_recovery.h"
#include "raw.h"

#define MOST 32 /* units in one read or write, which become several requests */

static int devices[FUZZ_HONEST];
static uint64_t (*mem)[WORDS];

struct place {
	struct store *store;
	unsigned int nr, unit, n; /* on device nr: n units from there on */
	int fd;
};

static void witness_init(struct actor *a)
{
	unsigned int i;

	for (i = 0; i < FUZZ_HONEST; i++)
		devices[i] = -1;
	mem = mmap(NULL, MOST * UNIT, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
}

static bool is_there(int fd)
{
	uint64_t bytes;

	return !ioctl(fd, BLKGETSIZE64, &bytes) && bytes == UNITS * UNIT;
}

static int device(unsigned int nr)
{
	char path[32];

	if (devices[nr] >= 0 && is_there(devices[nr]))
		return devices[nr];
	if (devices[nr] >= 0)
		close(devices[nr]);
	snprintf(path, sizeof(path), "/dev/ubdxb%u", FUZZ_IDS + nr);
	devices[nr] = open(path, O_RDWR | O_DIRECT | O_CLOEXEC);
	if (devices[nr] >= 0 && is_there(devices[nr]))
		return devices[nr];
	poll(NULL, 0, 20 * raw_slow()); /* the device can't be opened yet */
	return -1;
}

static bool lock(const struct place *p, bool on)
{
	struct flock lock = { .l_type = on ? F_WRLCK : F_UNLCK,
			      .l_whence = SEEK_SET,
			      .l_start = p->nr * UNITS + p->unit,
			      .l_len = p->n };

	return !fcntl(store_locks, F_SETLK, &lock);
}

/* Lock some units. Returns false if another witness uses them, or the device can't be opened. */
static bool take_place(struct actor *a, struct place *p)
{
	p->nr = below(a, FUZZ_HONEST);
	p->store = &stores[p->nr];
	p->unit = below(a, UNITS);
	p->n = 1 + below(a, UNITS - p->unit < MOST ? UNITS - p->unit : MOST);
	args(a, "device %u unit %u + %u", p->nr, p->unit, p->n);
	p->fd = device(p->nr);
	return p->fd >= 0 && lock(p, true);
}

/* A request has failed. On a device that reissues, this is right only if the device goes away. */
static void judge_failure(const struct place *p, const char *what, int error)
{
	double end = raw_now() + 5;

	if (store_recovery[p->nr] != UBDX_RECOVERY_REISSUE)
		return;
	while (is_there(p->fd)) {
		if (raw_now() > end) {
			broken("a %s failed, errno %d, on a device that reissues and still exists",
			       what, error);
			return;
		}
		poll(NULL, 0, 10);
	}
}

static void act_write(struct actor *a)
{
	unsigned int started, version = 0, i, k;
	struct place p;
	ssize_t n;

	if (!take_place(a, &p))
		return;
	for (i = 0; i < p.n; i++)
		if (p.store->unit[p.unit + i].tried > version)
			version = p.store->unit[p.unit + i].tried;
	version++;
	for (i = 0; i < p.n; i++) {
		p.store->unit[p.unit + i].tried = version;
		for (k = 0; k < WORDS; k++)
			mem[i][k] = word_of(version, p.unit + i, k);
	}
	started = p.store->started;
	n = pwrite(p.fd, mem, p.n * UNIT, p.unit * UNIT);
	args(a, " version %u: %zd", version, n);
	if (n < 0)
		judge_failure(&p, "WRITE", errno);
	for (i = 0; n > 0 && i < n / UNIT; i++)
		p.store->unit[p.unit + i].acked = version;
	if (n == p.n * UNIT)
		worked(a);
	if (p.store->started != started)
		fuzz_note(&fuzz_witness, "outlive", n == p.n * UNIT);
	lock(&p, false);
}

/* The content must be a mixture of possible versions, with each word in its place. */
static void check_unit(const struct place *p, unsigned int i)
{
	unsigned int unit = p->unit + i, k;
	unsigned int acked = p->store->unit[unit].acked, tried = p->store->unit[unit].tried;

	for (k = 0; k < WORDS; k++) {
		unsigned int version = mem[i][k] >> 32;

		if (version < acked || version > tried || mem[i][k] != word_of(version, unit, k)) {
			broken("unit %u, word %u is %lx; version %u was written, %u tried", unit, k,
			       mem[i][k], acked, tried);
			return;
		}
	}
}

static void act_verify(struct actor *a)
{
	struct place p;
	unsigned int i;
	ssize_t n;

	if (!take_place(a, &p))
		return;
	n = pread(p.fd, mem, p.n * UNIT, p.unit * UNIT);
	args(a, ": %zd", n);
	if (n < 0)
		judge_failure(&p, "READ", errno);
	for (i = 0; n > 0 && i < n / UNIT; i++)
		check_unit(&p, i);
	if (n == p.n * UNIT)
		worked(a);
	lock(&p, false);
}

static void act_flush(struct actor *a)
{
	unsigned int nr = below(a, FUZZ_HONEST);
	int fd = device(nr);

	args(a, "device %u", nr);
	if (fd >= 0 && !fsync(fd))
		worked(a);
}

static const struct action witness_actions[] = {
	{ "write", 10, act_write, 10 },
	{ "verify", 8, act_verify, 10 },
	{ "flush", 1, act_flush, 60 },
	{ "outlive", 0, NULL, 90 },
	{},
};

const struct role fuzz_witness = { .name = "witness",
				   .weight = 2,
				   .init = witness_init,
				   .actions = witness_actions };
