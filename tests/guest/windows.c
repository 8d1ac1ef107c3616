// SPDX-License-Identifier: GPL-2.0
/*
 * windows.c - when pages enter a window and when they leave it, by the driver's counters: on a
 * fault, or at delivery (map_when).
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

static char *pattern; /* BYTES of a pattern that occurs nowhere else */

/* ---- what was counted ---- */

struct counted {
	long mapped, faults, zaps;
};

static struct counted counted(void)
{
	return (struct counted){ moved("mapped_pages"), moved("faults"), moved("zaps") };
}

/* Have the counters grown by this much since @before? */
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

/* The counters for one request: at delivery, after the server has looked, and after its end. */
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

/* A server that offers the mode and has mapped no window. */
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

/* A part of the window moves so low that the request's first page would lie below address 0. */
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

int main(void)
{
	unsigned int i;

	pattern = raw_mem(BYTES);
	for (i = 0; i < BYTES; i++)
		pattern[i] = (char)(i * 7 + (i >> 9) + 1);

	whens();
	low();
	return done();
}
