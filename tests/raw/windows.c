// SPDX-License-Identifier: GPL-2.0
/*
 * windows.c - when pages get into a window and when they are out of it, by the driver's counts: on a fault or
 * eagerly (map_when); and what becomes of requests that wait in a commit batch when their server ends.
 */
#define _GNU_SOURCE
#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <signal.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/wait.h>
#include <unistd.h>

#include "single.h"
#include "tap.h"

#define PAGES (BYTES / 4096)
#define BATCH 3 /* requests */
#define READER 1 /* which of them is a READ, where they are not all WRITEs */

static char *pattern; /* BYTES of what no other place holds */

/* ---- what was counted ---- */

struct counted {
	long mapped, faults, zaps;
};

static struct counted counted(void)
{
	return (struct counted){ moved("mapped_pages"), moved("faults"), moved("zaps") };
}

/* Since @before. */
static void moved_is(struct counted before, long mapped, long faults, long zaps, const char *what)
{
	struct counted now = counted();

	ok(now.mapped - before.mapped == mapped && now.faults - before.faults == faults &&
		   now.zaps - before.zaps == zaps,
	   "%s: %ld pages mapped, %ld faults, %ld zaps", what, mapped, faults, zaps);
	if (now.mapped - before.mapped != mapped || now.faults - before.faults != faults ||
	    now.zaps - before.zaps != zaps)
		printf("#   got %ld, %ld, %ld\n", now.mapped - before.mapped,
		       now.faults - before.faults, now.zaps - before.zaps);
}

/* ---- map_when ---- */

/* What happens to one request, on delivery, when it is looked at and by its end. */
static void when(bool write, bool eager, bool touched)
{
	struct counted start = counted();
	char *mem = raw_mem(BYTES), what[64];
	const struct ubdx_desc *d;
	struct client c;

	snprintf(what, sizeof(what), "%s, %s, %s", eager ? "eager" : "fault",
		 write ? "WRITE" : "READ", touched ? "touched" : "untouched");
	memcpy(mem, pattern, BYTES);
	if (!write)
		memset(mem, 0xa5, BYTES);
	d = client(&c, write, mem, BYTES);
	is(d->xfer, UBDX_XFER_MAP, what);
	moved_is(start, eager ? PAGES : 0, 0, 0, "when it is there");
	if (touched && write)
		ok(!memcmp(place(d), pattern, BYTES), "its payload is in its place");
	else if (touched)
		memcpy(place(d), pattern, BYTES);
	moved_is(start, eager || touched ? PAGES : 0, touched && !eager, 0, "before it ends");
	is(finish(&c, d, BYTES), BYTES, "it ends");
	if (!write && touched)
		ok(!memcmp(mem, pattern, BYTES), "with what it was filled with");
	moved_is(start, eager || touched ? PAGES : 0, touched && !eager, eager || touched,
		 "after it");
	is(look(place(d)), -1, "its place is SIGBUS");
	is(look(place(d) + BYTES - 1), -1, "to its end");
	munmap(mem, BYTES);
}

/* A server that has mapped no window, though it offers the mode. */
static void without(void)
{
	struct counted start = counted();
	char *mem = raw_mem(BYTES);
	const struct ubdx_desc *d;
	struct client c;

	d = client(&c, true, mem, BYTES);
	is(d->xfer, UBDX_XFER_MAP, "eager, without a window");
	moved_is(start, 0, 0, 0, "when it is there");
	is(finish(&c, d, BYTES), BYTES, "it ends");
	moved_is(start, 0, 0, 0, "after it");
	munmap(mem, BYTES);
}

static void whens(void)
{
	unsigned int i;

	begin(UBDX_XFER_MAP, 30000, UBDX_RECOVERY_FAIL);
	open_windows();
	for (i = 0; i < 8; i++) {
		set_parameter("map_when", i & 4 ? "eager" : "fault");
		when(i & 1, i & 4, i & 2);
	}
	close_windows();
	without();
	set_parameter("map_when", "fault");
	is(end(), 0, "the device can be deleted");
}

/* ---- a part of a window, as low as can be ---- */

#define PART (32U << 12)

/* The place of the request's first page would be below address 0. */
static void low(void)
{
	char *mem = raw_mem(PART), *lowest = (char *)0x10000;
	size_t moved = 24 << 12;
	const struct ubdx_desc *d;
	struct client c;

	begin(UBDX_XFER_MAP, 30000, UBDX_RECOVERY_FAIL);
	open_windows();
	memset(mem, 1, PART);
	memset(mem + moved, 2, PART - moved);
	d = client(&c, true, mem, PART);
	if (mremap(place(d) + moved, PART - moved, PART - moved, MREMAP_MAYMOVE | MREMAP_FIXED,
		   lowest) != lowest)
		bail("mremap: %s", strerror(errno));
	alarm(30 * raw_slow());
	is(look(lowest), 2, "the end of a request, moved to the lowest address, is there");
	alarm(0);
	is(look(place(d)), 1, "and what was not moved, too");
	is(finish(&c, d, PART), PART, "it ends");
	is(look(lowest), -1, "after it: SIGBUS");
	is(look(place(d)), -1, "in both");
	munmap(lowest, PART - moved);
	munmap(mem, PART);
	close_windows();
	is(end(), 0, "the device can be deleted");
}

static int commit_more(const struct ubdx_desc *d)
{
	return raw_commit(&q, 0, d->tag, d->seq, BYTES, UBDX_COMMIT_MORE);
}

/* ---- a batch whose server ends ---- */

enum way {
	STOPPED,
	DELETED,
	KILLED,
	KILLED_REISSUE,
	RING_CLOSED,
	LATE,
};

static const char *const way_names[] = {
	[STOPPED] = "device stopped by force",
	[DELETED] = "device deleted by force",
	[KILLED] = "server killed",
	[KILLED_REISSUE] = "server killed, recovery reissue",
	[RING_CLOSED] = "ring closed",
	[LATE] = "nothing follows until the timeout",
};

/* What server and client tell each other. */
static struct {
	int id; /* of the device */
	pid_t witness;
	atomic_int live;
	atomic_int waiting; /* requests in the batch */
	atomic_int close_ring;
	atomic_int look; /* 1: look at all places, 2: done */
	atomic_int saw[BATCH];
} *shared_page;

static bool until(atomic_int *what, int value)
{
	double limit = raw_now() + 20;

	while (atomic_load(what) != value && raw_now() < limit)
		poll(NULL, 0, 5);
	return atomic_load(what) == value;
}

/* Has all requests in a batch, and waits for what comes. */
static void server(enum way way, struct child *witness)
{
	const struct ubdx_desc *desc[BATCH];
	unsigned int i;
	char *at[BATCH];

	begin(UBDX_XFER_MAP, way == LATE ? 1000 * raw_slow() : 30000,
	      way == KILLED_REISSUE ? UBDX_RECOVERY_REISSUE : UBDX_RECOVERY_FAIL);
	close(bdev);
	open_windows();
	shared_page->id = raw.add.id;
	atomic_store(&shared_page->live, 1);
	for (i = 0; i < BATCH; i++) {
		int tag = raw_next(&q);

		if (tag < 0)
			_exit(1);
		desc[i] = &q.desc[tag];
		at[i] = place(desc[i]);
		/* in its page tables, and by fork in the witness's */
		if (desc[i]->op == UBDX_OP_READ)
			memcpy(at[i], pattern, BYTES);
		else if (memcmp(at[i], pattern, BYTES))
			_exit(1);
	}
	child_start(witness, at[0]);
	shared_page->witness = witness->pid;
	for (i = 0; i < BATCH; i++)
		if (commit_more(desc[i]) != -EINPROGRESS)
			_exit(1);
	atomic_store(&shared_page->waiting, BATCH);
	while (!atomic_load(&shared_page->close_ring) && !atomic_load(&shared_page->look))
		poll(NULL, 0, 1);
	if (atomic_load(&shared_page->close_ring))
		io_uring_queue_exit(&q.ring);
	while (!atomic_load(&shared_page->look))
		poll(NULL, 0, 1);
	for (i = 0; i < BATCH; i++)
		atomic_store(&shared_page->saw[i], look(at[i]));
	atomic_store(&shared_page->look, 2);
	for (;;)
		pause();
}

static void act(enum way way, pid_t pid)
{
	switch (way) {
	case STOPPED:
		is(raw_ctl(&raw, UBDX_IOC_STOP, UBDX_CTL_FORCE), 0, "it is stopped");
		break;
	case DELETED:
		is(raw_ctl(&raw, UBDX_IOC_DEL, UBDX_CTL_FORCE), 0, "it is deleted");
		break;
	case KILLED:
	case KILLED_REISSUE:
		kill(pid, SIGKILL);
		break;
	case RING_CLOSED:
		atomic_store(&shared_page->close_ring, 1);
		break;
	case LATE:
		break;
	}
}

static void batch_ends(enum way way)
{
	struct client client[BATCH];
	char *mem[BATCH];
	struct child witness;
	unsigned int i, ended;
	double start;
	pid_t pid;

	printf("# %s\n", way_names[way]);
	memset(shared_page, 0, sizeof(*shared_page));
	child_pipes(&witness);
	pid = fork();
	if (!pid) {
		server(way, &witness);
		_exit(0);
	}
	if (!until(&shared_page->live, 1))
		bail("a server");
	raw_defaults(&raw);
	raw.add.id = shared_page->id;
	snprintf(raw.path, sizeof(raw.path), "/dev/ubdxb%d", raw.add.id);
	raw.ctl = open("/dev/" UBDX_CONTROL_NAME, O_RDWR | O_CLOEXEC);
	bdev = raw_bdev(&raw, O_RDWR);
	for (i = 0; i < BATCH; i++) {
		mem[i] = raw_mem(BYTES);
		if (i != READER)
			memcpy(mem[i], pattern, BYTES);
		client_start(&client[i], i != READER, mem[i], BYTES, (1 + i) << 20);
	}
	ok(until(&shared_page->waiting, BATCH), "WRITEs, looked at, and a READ, filled: committed");
	for (i = 0, ended = 0; way != LATE && i < BATCH; i++)
		ended += !client_waits(&client[i]);
	is(ended, 0, "wait in a batch");
	start = raw_now();
	act(way, pid);
	for (i = 0; i < BATCH; i++) {
		is(client_end(&client[i]), BYTES, "one ends, as it was committed");
		ok(!memcmp(mem[i], pattern, BYTES), "with its payload as it was");
		/* its memory is somebody else's now */
		memset(mem[i], 0xc3, BYTES);
	}
	ok(raw_now() - start < 10, "soon");
	is(child_look(&witness), -1, "a child that had its page has SIGBUS");
	if (way != KILLED && way != KILLED_REISSUE) {
		atomic_store(&shared_page->look, 1);
		ok(until(&shared_page->look, 2), "the server lives");
		for (i = 0; i < BATCH; i++)
			is(atomic_load(&shared_page->saw[i]), 0, "and finds nothing in a place");
		kill(pid, SIGKILL);
	}
	waitpid(pid, NULL, 0);
	witness.pid = shared_page->witness;
	child_end(&witness);
	close(bdev);
	/* by its server's end, unless it waits for another server */
	if (way == KILLED_REISSUE)
		is(raw_ctl(&raw, UBDX_IOC_DEL, UBDX_CTL_FORCE), 0, "the device can be deleted");
	ok(raw_gone(&raw, 10), "the device is gone");
	close(raw.ctl);
	for (i = 0; i < BATCH; i++)
		munmap(mem[i], BYTES);
}

int main(void)
{
	enum way way;
	unsigned int i;

	pattern = raw_mem(BYTES);
	for (i = 0; i < BYTES; i++)
		pattern[i] = (char)(i * 7 + (i >> 9) + 1);
	shared_page = mmap(NULL, sizeof(*shared_page), PROT_READ | PROT_WRITE,
			   MAP_SHARED | MAP_ANONYMOUS, -1, 0);
	if (shared_page == MAP_FAILED)
		bail("out of memory");

	whens();
	low();
	for (way = STOPPED; way <= LATE; way++)
		batch_ends(way);
	return done();
}
