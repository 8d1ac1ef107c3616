// SPDX-License-Identifier: GPL-2.0
/*
 * deletions.c - a forced deletion doesn't wait for another call that waits for a held request.
 */
#define _GNU_SOURCE
#include <errno.h>
#include <fcntl.h>
#include <stdatomic.h>
#include <unistd.h>

#include "held.h"
#include "tap.h"

struct caller {
	pthread_t thread;
	const struct raw *raw;
	unsigned long cmd;
	int ret;
	atomic_int ended;
};

static void *caller_main(void *arg)
{
	struct caller *c = arg;

	c->ret = raw_ctl(c->raw, c->cmd, 0);
	atomic_store(&c->ended, 1);
	return NULL;
}

static void start_caller(struct caller *c, const struct raw *raw, unsigned long cmd)
{
	*c = (struct caller){ .raw = raw, .cmd = cmd };
	pthread_create(&c->thread, NULL, caller_main, c);
	poll(NULL, 0, 100); /* it should be waiting by now */
}

/*
 * The server holds a request, for less than the timeout, and another thread's call waits for the
 * request's end.
 */
static void forced_while(const char *what, unsigned long cmd)
{
	struct raw_server s;
	struct caller caller;
	struct reader reader;
	double start;

	raw_defaults(&s.raw);
	s.raw.add.params.recovery = UBDX_RECOVERY_QUEUE;
	atomic_store(&holds, true);
	atomic_store(&held, 0);
	raw_server_start(&s, hold_or_answer);
	reader_start(&reader, &s.raw);
	if (!within(10, held))
		bail("no request");
	start_caller(&caller, &s.raw, cmd);
	start = raw_now();
	is(raw_ctl(&s.raw, UBDX_IOC_DEL, UBDX_CTL_FORCE), 0, what);
	ok(raw_now() - start < 15, "   doesn't wait: %.1f s", raw_now() - start);
	ok(within(10, caller.ended), "   the call that waited ends");
	ok(within(10, reader.ended), "   and so does the request");
	is(reader.error, EIO, "   with EIO");
	atomic_store(&holds, false);
	pthread_join(s.thread, NULL);
	pthread_join(reader.thread, NULL);
	pthread_join(caller.thread, NULL);
	close(reader.fd);
	close(s.raw.chan);
	close(s.raw.ctl);
}

/* A plain DEL waits for the last close, which waits for a request that the server holds. */
static void *close_while_reading(void *arg)
{
	struct raw *raw = arg;
	int fd = open(raw->path, O_RDONLY | O_CLOEXEC);

	posix_fadvise(fd, AT, 4096, POSIX_FADV_WILLNEED);
	close(fd);
	return NULL;
}

static void forced_while_deleting(void)
{
	struct raw_server s;
	struct caller caller;
	pthread_t closer;
	double start;

	raw_defaults(&s.raw);
	atomic_store(&held, 0);
	raw_server_start(&s, hold_or_answer);
	close(raw_bdev(&s.raw, O_RDONLY));
	atomic_store(&holds, true);
	pthread_create(&closer, NULL, close_while_reading, &s.raw);
	if (!within(10, held))
		bail("no request");
	poll(NULL, 0, 100); /* it should be closing by now */
	start_caller(&caller, &s.raw, UBDX_IOC_DEL);
	ok(!atomic_load(&caller.ended), "DEL waits for the last close");
	start = raw_now();
	/* the result depends on which of the two deletes the device */
	raw_ctl(&s.raw, UBDX_IOC_DEL, UBDX_CTL_FORCE);
	ok(raw_now() - start < 15, "   a forced one doesn't wait for it");
	ok(within(10, caller.ended), "   and the first one ends");
	atomic_store(&holds, false);
	pthread_join(closer, NULL);
	pthread_join(s.thread, NULL);
	pthread_join(caller.thread, NULL);
	ok(raw_gone(&s.raw, 10), "   the device is gone");
	close(s.raw.chan);
	close(s.raw.ctl);
}

int main(void)
{
	forced_while("a forced DEL while a hand-over waits for the server", UBDX_IOC_QUIESCE);
	forced_while_deleting();
	return done();
}
