// SPDX-License-Identifier: GPL-2.0
/*
 * rings.c - a server can use every kind of io_uring that the kernel allows, and only the task that
 * attached its ring can issue commands.
 */
#define _GNU_SOURCE
#include <errno.h>
#include <fcntl.h>
#include <glob.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/utsname.h>
#include <sys/wait.h>
#include <unistd.h>

#include "held.h"
#include "tap.h"

static void ring_serves(const char *name, unsigned int flags)
{
	char *mem = raw_mem(65536);
	struct raw_server s;
	int fd, n;

	raw_defaults(&s.raw);
	s.raw.ring_flags = flags;
	raw_server_start(&s, hold_or_answer);
	fd = raw_bdev(&s.raw, O_RDWR);
	for (n = 0; n < 20; n++)
		if (pread(fd, mem, 65536, AT) != 65536 || pwrite(fd, mem, 4096, AT) != 4096)
			break;
	is(n, 20, name);
	close(fd);
	raw_server_stop(&s);
	ok(raw_gone(&s.raw, 10), "   its device goes");
	munmap(mem, 65536);
}

/* IOPOLL has nothing to poll: older kernels refuse ATTACH, newer ones park it as on any ring. */
static void polled_ring(void)
{
	struct raw_queue q;
	struct raw raw;
	int ret;

	raw_defaults(&raw);
	raw.ring_flags = IORING_SETUP_IOPOLL;
	if (raw_add(&raw) || raw_open(&raw) || raw_queue_init(&raw, &q, 0))
		bail("add");
	ret = raw_attach(&q, 0, 0);
	ok(ret == -EOPNOTSUPP || ret == -EINPROGRESS, "ATTACH on a ring of IOPOLL: %s",
	   strerror(-ret));
	raw_queue_exit(&q);
	close(raw.chan);
	is(raw_ctl(&raw, UBDX_IOC_DEL, 0), 0, "   its device is deleted");
	close(raw.ctl);
}

static void rings(void)
{
	ring_serves("an ordinary ring", 0);
	ring_serves("COOP_TASKRUN", IORING_SETUP_COOP_TASKRUN);
	ring_serves("SQPOLL", IORING_SETUP_SQPOLL);
	ring_serves("SQE128", IORING_SETUP_SQE128);
	ring_serves("CQE32", IORING_SETUP_CQE32);
	ring_serves("DEFER_TASKRUN", IORING_SETUP_SINGLE_ISSUER | IORING_SETUP_DEFER_TASKRUN);
	polled_ring();
}

/* ---- other tasks ---- */

struct other {
	struct raw_queue *q;
	int fetch, commit;
};

/* Without SINGLE_ISSUER, every task that has the ring can submit to it. */
static void *other_issuer(void *arg)
{
	struct other *o = arg;

	o->fetch = raw_fetch(o->q, 0, 1, o->q->buf, 0, 0);
	o->commit = raw_commit(o->q, 0, 0, 1, 4096, 0);
	return NULL;
}

static void other_tasks(void)
{
	struct raw_queue q;
	struct other other = { .q = &q };
	struct raw raw;
	pthread_t thread;
	int status;

	raw_defaults(&raw);
	raw.ring_flags = 0;
	if (raw_add(&raw) || raw_open(&raw) || raw_queue_init(&raw, &q, 0))
		bail("add");
	is(raw_attach(&q, 0, 0), -EINPROGRESS, "ATTACH, to a ring that others can use");
	pthread_create(&thread, NULL, other_issuer, &other);
	pthread_join(thread, NULL);
	is(other.fetch, -EPERM, "   FETCH by another thread through the same ring");
	is(other.commit, -EPERM, "   COMMIT by it");
	if (fork() == 0) {
		other_issuer(&other);
		_exit(other.fetch == -EPERM && other.commit == -EPERM);
	}
	wait(&status);
	is(WEXITSTATUS(status), 1, "   both by a forked child");
	raw_queue_exit(&q);
	close(raw.chan);
	raw_ctl(&raw, UBDX_IOC_DEL, 0);
	close(raw.ctl);
}

/* ---- a ring that is closed while its queue's task is stuck ---- */

static struct utsname *never; /* in a page that isn't provided */
static atomic_bool stuck;

static int32_t get_stuck(struct raw_queue *q, const struct ubdx_desc *desc, char *buf)
{
	if (desc->sector != AT / 512)
		return hold_or_answer(q, desc, buf);
	atomic_store(&stuck, true);
	uname(never); /* waits in the kernel, where no signal but SIGKILL can end the wait */
	pthread_exit(NULL); /* the ring is gone */
}

/* Seconds of CPU time that the kernel's workers have used. */
static double workers(void)
{
	unsigned long ticks, sum = 0;
	glob_t found;
	size_t i;
	FILE *f;

	if (glob("/proc/[0-9]*/stat", 0, NULL, &found))
		bail("/proc can't be read");
	for (i = 0; i < found.gl_pathc; i++) {
		f = fopen(found.gl_pathv[i], "r"); /* the process may be gone */
		if (f && fscanf(f,
				"%*d (kworker%*[^)]) %*c %*d %*d %*d %*d %*d %*u %*u %*u %*u "
				"%*u %*u %lu",
				&ticks) == 1)
			sum += ticks;
		if (f)
			fclose(f);
	}
	globfree(&found);
	return (double)sum / sysconf(_SC_CLK_TCK);
}

static void closed_while_stuck(void)
{
	struct raw_server s;
	struct reader r;
	double used;
	int uffd;

	never = raw_mem(4096);
	uffd = raw_userfault(never, 4096);
	if (uffd < 0)
		bail("userfaultfd: %s", strerror(errno));
	raw_defaults(&s.raw);
	s.raw.ring_flags = 0; /* task work is the task's, not the ring's */
	raw_server_start(&s, get_stuck);
	reader_start(&r, &s.raw);
	ok(within(10, atomic_load(&stuck)), "a queue's task waits in a page fault");
	is(raw_ctl(&s.raw, UBDX_IOC_DEL, UBDX_CTL_FORCE), 0, "   its device is deleted by force");
	pthread_join(r.thread, NULL);
	is(r.error, EIO, "   the request ends with EIO");
	raw_queue_exit(&s.queue);
	used = -workers();
	poll(NULL, 0, 2000);
	used += workers();
	ok(used < 1, "   another thread closes the ring: no worker spins (%.1f of 2 s)", used);
	close(uffd);
	pthread_join(s.thread, NULL);
	close(r.fd);
	close(s.raw.chan);
	close(s.raw.ctl);
}

int main(void)
{
	rings();
	other_tasks();
	closed_while_stuck();
	return done();
}
