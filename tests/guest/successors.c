// SPDX-License-Identifier: GPL-2.0
/*
 * successors.c - a server that has lost its device, by a hand-over or because it did not START, can
 * do nothing with the device any more.
 */
#define _GNU_SOURCE
#include <errno.h>
#include <fcntl.h>
#include <stdatomic.h>
#include <unistd.h>

#include "held.h"
#include "tap.h"

/* ---- a hand-over ---- */

struct ousted {
	struct raw raw;
	pthread_t thread;
	atomic_int ready, ousted, go, ended;
	int odd; /* commits that the driver didn't refuse as it should */
};

/* Serves until it loses the device, and then commits every request that its successor may have. */
static void *ousted_main(void *arg)
{
	struct ousted *o = arg;
	struct raw_queue q;
	unsigned int tag;
	uint32_t seq;

	if (raw_queue_init(&o->raw, &q, 0) || raw_fetch_all(&q))
		bail("a server that is to lose its device");
	atomic_store(&o->ready, 1);
	raw_serve(&q, hold_or_answer);
	atomic_store(&o->ousted, 1);
	within(30, o->go);
	for (tag = 0; tag < q.depth; tag++)
		for (seq = 1; seq < 32; seq++)
			o->odd += raw_commit(&q, 0, tag, seq, 4096, 0) != -ENODEV;
	raw_queue_exit(&q);
	close(o->raw.chan);
	atomic_store(&o->ended, 1);
	return NULL;
}

static void *successor_main(void *arg)
{
	struct ousted *o = arg;
	struct raw_queue q;

	if (raw_queue_init(&o->raw, &q, 0) || raw_fetch_all(&q))
		bail("a successor");
	atomic_store(&o->ready, 1);
	raw_serve(&q, hold_or_answer);
	raw_queue_exit(&q);
	close(o->raw.chan);
	return NULL;
}

static void after_a_hand_over(void)
{
	struct ousted first = {}, second = {};
	struct reader reader;

	raw_defaults(&first.raw);
	first.raw.add.params.recovery = UBDX_RECOVERY_QUEUE;
	atomic_store(&holds, true);
	atomic_store(&held, 0);
	if (raw_add(&first.raw) || raw_open(&first.raw))
		bail("add");
	pthread_create(&first.thread, NULL, ousted_main, &first);
	if (!within(10, first.ready) || raw_ctl(&first.raw, UBDX_IOC_START, 0))
		bail("start");
	is(raw_ctl(&first.raw, UBDX_IOC_QUIESCE, 0), 0, "a hand-over");
	ok(within(10, first.ousted), "   the server loses the device");

	second.raw = first.raw;
	if (raw_open(&second.raw))
		bail("open by the successor");
	pthread_create(&second.thread, NULL, successor_main, &second);
	if (!within(10, second.ready) || raw_ctl(&second.raw, UBDX_IOC_START, 0))
		bail("start of the successor");
	reader_start(&reader, &second.raw);
	if (!within(10, held))
		bail("no request");
	atomic_store(&first.go, 1);
	ok(within(30, first.ended) && !first.odd, "   it can't commit anything any more: %d",
	   first.odd);
	ok(!atomic_load(&reader.ended), "   and its successor's request goes on");
	is(raw_ctl(&second.raw, UBDX_IOC_DEL, UBDX_CTL_FORCE), 0, "   until the device is deleted");
	ok(within(10, reader.ended), "   then it ends");
	atomic_store(&holds, false);
	pthread_join(first.thread, NULL);
	pthread_join(second.thread, NULL);
	pthread_join(reader.thread, NULL);
	close(reader.fd);
	close(first.raw.ctl);
}

/* ---- a server that doesn't START ---- */

/* A server that opens the channel, and never calls START. */
static struct raw idler;
static double idle_since;
static struct raw_queue idlers_queue;

static void idler_begins(void)
{
	struct raw second;

	raw_defaults(&idler);
	if (raw_add(&idler) || raw_open(&idler) || raw_queue_init(&idler, &idlers_queue, 0) ||
	    raw_fetch_all(&idlers_queue))
		bail("a server that doesn't START");
	idle_since = raw_now() * raw_slow();
	second = idler;
	is(raw_open(&second), -EBUSY, "a server that doesn't START keeps a second one out");
	is(raw_open(&second), -EBUSY, "   for a while");
}

static void idler_ends(void)
{
	double wait = idle_since + UBDX_START_SECONDS - raw_now() * raw_slow();
	struct raw second = idler;
	int ret;

	if (wait > 0)
		poll(NULL, 0, wait * 1000 + 100);
	within(10, (ret = raw_open(&second)) != -EBUSY);
	is(ret, 0, "a server that didn't START loses the device to a second one");
	is(raw_next(&idlers_queue), -ENODEV, "   and its commands return ENODEV");
	raw_queue_exit(&idlers_queue);
	close(idler.chan);
	is(raw_ctl(&second, UBDX_IOC_DEL, UBDX_CTL_FORCE), 0, "   the device is deleted");
	close(second.chan);
	close(second.ctl);
}

int main(void)
{
	idler_begins();
	after_a_hand_over();
	idler_ends();
	return done();
}
