// SPDX-License-Identifier: GPL-2.0
/*
 * death.c - invariant 5: the server may die or stop at any instant, in whatever way, and every
 * request ends, nothing hangs, the device can be deleted, and nobody holds the module any more.
 *
 * Each scenario has a server process of its own and, here, clients that read and write with
 * O_DIRECT until an error ends them.
 */
#define _GNU_SOURCE
#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <signal.h>
#include <stdatomic.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/mman.h>
#include <sys/prctl.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>

#include "raw.h"
#include "tap.h"

#define CLIENTS 8

/* The sectors that clients use. */
#define CLIENT_FIRST 2048
#define CLIENT_END (CLIENT_FIRST + 4096 * 8 + 128)

/* What a server does; a bit set. */
enum {
	HOLD = 1 << 0, /* never answer */
	THREAD_EXITS = 1 << 1, /* the queue's thread leaves after a while, the process stays */
	RING_CLOSED = 1 << 2, /* the ring is closed after a while, the process stays */
	FORKED = 1 << 3, /* a child has everything open as well */
	SHORT_TIMEOUT = 1 << 4, /* I/O timeout of one second */
	NO_START = 1 << 5, /* fetch, and no more */
	RING_CLOSED_IDLE = 1 << 9, /* the ring is closed after the first answer to a client */
	STUCK = 1 << 6, /* its buffers never become accessible, nor fail to */
	RING_STUCK = 1
		     << 8, /* after a while, in a page fault of its own, holding its ring's lock */
};

struct server {
	struct raw raw; /* the client's view: id, path, control */
	pid_t pid;
	pid_t child; /* FORKED */
	int kind;
};

/* ---- the server's process ---- */

static int kind;
static long answered;

/* The partition scan, which looks at both ends, must get through. */
static bool of_client(const struct ubdx_desc *desc)
{
	return desc->sector >= CLIENT_FIRST && desc->sector < CLIENT_END;
}

/* The kernel reads the vector while it has the ring locked. */
static void ring_stuck(struct raw_queue *q)
{
	void *vector = raw_mem(4096);

	if (raw_never_provide(vector, 4096))
		bail("userfaultfd: %s", strerror(errno));
	io_uring_prep_readv(io_uring_get_sqe(&q->ring), open("/dev/zero", O_RDONLY), vector, 1, 0);
	io_uring_submit(&q->ring);
}

static int32_t serve(struct raw_queue *q, const struct ubdx_desc *desc, char *buf)
{
	if ((kind & STUCK) && of_client(desc) && !answered) {
		answered++;
		if (raw_never_provide(q->buf, (size_t)q->depth * RAW_BUF_BYTES))
			bail("userfaultfd: %s", strerror(errno));
	}
	/* A READ's commit has the driver copy from there; touching it here would only block us. */
	if (kind & STUCK)
		return desc->op == UBDX_OP_READ ? (int32_t)desc->nr_sectors * 512 : RAW_HOLD;
	if ((kind & HOLD) && of_client(desc))
		return RAW_HOLD;
	if ((kind & RING_CLOSED_IDLE) && of_client(desc)) {
		raw_commit(q, 0, desc->tag, desc->seq, desc->nr_sectors * 512, 0);
		io_uring_queue_exit(&q->ring);
		for (;;)
			pause();
	}
	if (++answered > 200) {
		if (kind & THREAD_EXITS)
			pthread_exit(NULL);
		if (kind & RING_STUCK)
			ring_stuck(q);
		if (kind & RING_CLOSED) {
			io_uring_queue_exit(&q->ring);
			for (;;)
				pause();
		}
	}
	if (desc->op == UBDX_OP_FLUSH)
		return 0;
	if (desc->op == UBDX_OP_READ)
		memset(buf, 0, desc->nr_sectors * 512);
	return desc->nr_sectors * 512;
}

struct hello {
	int id;
	pid_t child;
	int ret;
};

static void *server_queue(void *arg)
{
	struct raw_server *s = arg;

	s->ready = raw_queue_init(&s->raw, &s->queue, 0) ?: raw_fetch_all(&s->queue);
	pthread_barrier_wait(&s->barrier);
	raw_serve(&s->queue, serve);
	exit(0); /* told that the device is gone */
}

static void server_main(int out, int timeout_ms)
{
	static struct raw_server s;
	struct hello hello = {};

	raw_defaults(&s.raw);
	s.raw.add.params.timeout_ms = timeout_ms;
	hello.ret = raw_add(&s.raw) ?: raw_open(&s.raw);
	pthread_barrier_init(&s.barrier, NULL, 2);
	if (!hello.ret) {
		pthread_create(&s.thread, NULL, server_queue, &s);
		pthread_barrier_wait(&s.barrier);
		hello.ret = s.ready;
	}
	if (!hello.ret && !(kind & NO_START))
		hello.ret = raw_ctl(&s.raw, UBDX_IOC_START, 0);
	hello.id = s.raw.add.id;
	if (kind & FORKED) {
		hello.child = fork();
		if (!hello.child)
			for (;;)
				pause();
	}
	if (write(out, &hello, sizeof(hello)) != sizeof(hello))
		_exit(1);
	for (;;)
		pause();
}

static void server_start(struct server *s, int what)
{
	struct hello hello;
	int fds[2];

	*s = (struct server){ .kind = what };
	raw_defaults(&s->raw);
	if (pipe(fds))
		bail("pipe");
	s->pid = fork();
	if (!s->pid) {
		kind = what;
		server_main(fds[1], what & SHORT_TIMEOUT ? 1000 * raw_slow() : 0);
	}
	close(fds[1]);
	if (read(fds[0], &hello, sizeof(hello)) != sizeof(hello) || hello.ret)
		bail("server: %s", strerror(-hello.ret));
	close(fds[0]);
	s->child = hello.child;
	s->raw.add.id = hello.id;
	s->raw.ctl = open("/dev/" UBDX_CONTROL_NAME, O_RDWR | O_CLOEXEC);
	snprintf(s->raw.path, sizeof(s->raw.path), "/dev/ubdxb%d", hello.id);
}

/* ---- clients ---- */

static atomic_long ios;
static atomic_int running;

struct client {
	pthread_t thread;
	int fd;
	int error;
	unsigned int seed;
};

static void *client_main(void *arg)
{
	struct client *c = arg;
	char *mem = raw_mem(65536);

	for (;;) {
		size_t bytes = 4096 << (rand_r(&c->seed) % 4);
		off_t at = (CLIENT_FIRST + rand_r(&c->seed) % 4096 * 8) * 512;
		ssize_t n = rand_r(&c->seed) % 2 ? pread(c->fd, mem, bytes, at) :
						   pwrite(c->fd, mem, bytes, at);

		if (n != (ssize_t)bytes) {
			c->error = n < 0 ? errno : ENODATA;
			break;
		}
		atomic_fetch_add(&ios, 1);
	}
	munmap(mem, 65536);
	atomic_fetch_sub(&running, 1);
	return NULL;
}

static struct client clients[CLIENTS];

static void clients_start(struct server *s)
{
	int i;

	ios = 0;
	running = CLIENTS;
	/* what the first does may end the device */
	for (i = 0; i < CLIENTS; i++)
		clients[i] = (struct client){ .fd = raw_bdev(&s->raw, O_RDWR), .seed = i };
	for (i = 0; i < CLIENTS; i++)
		pthread_create(&clients[i].thread, NULL, client_main, &clients[i]);
}

/* Let the load run, or, where the server holds requests, get stuck. */
static void clients_settle(struct server *s)
{
	if (s->kind & HOLD)
		poll(NULL, 0, 300);
	else
		within(10, ios >= 500 || running < CLIENTS);
}

static bool clients_ended(unsigned int seconds)
{
	return within(seconds, !running);
}

/*
 * Did all end with an errno that's right? Requests that were under way: @error, and there must have
 * been one, unless @error is 0; or, with ETIMEDOUT, EIO for those younger than the timeout. Those
 * that came after the disk has gone find a device of no size.
 */
static bool clients_join(int error)
{
	int i, right = 0, late = 0;

	for (i = 0; i < CLIENTS; i++) {
		int e;

		pthread_join(clients[i].thread, NULL);
		close(clients[i].fd);
		e = clients[i].error;
		if (e == error)
			right++;
		else if (e == EIO || e == ENODATA || e == ENOSPC || e == ENXIO)
			late++;
		else
			printf("# client %d: %s\n", i, strerror(e));
	}
	return (right || !error) && right + late == CLIENTS;
}

static int module_refs(void)
{
	FILE *f = fopen("/sys/module/ubdx/refcnt", "r");
	int n = -1;

	if (f) {
		if (fscanf(f, "%d", &n) != 1)
			n = -1;
		fclose(f);
	}
	return n;
}

static bool module_free(unsigned int seconds)
{
	return within(seconds, !module_refs());
}

static void reap(struct server *s)
{
	if (s->child > 0)
		kill(s->child, SIGKILL);
	kill(s->pid, SIGKILL);
	waitpid(s->pid, NULL, 0);
}

/* After each: the requests have ended as they should, the device goes, the module is free. */
static void aftermath(struct server *s, const char *what, int error, unsigned int seconds)
{
	struct ubdx_info info;
	int ret;

	if (!ok(clients_ended(seconds), "%s: every request ends", what)) {
		system("dmesg | tail -20; cat /proc/*/stack 2>/dev/null | head -60");
		bail("requests hang");
	}
	ok(clients_join(error), "   with the right error");
	ok(raw_gone(&s->raw, 10), "   the block device is gone");
	ret = raw_info(&s->raw, &info);
	ok(ret == -ENODEV || (!ret && info.state == UBDX_S_DEAD), "   the device says so");
	if (!ret)
		is(raw_ctl(&s->raw, UBDX_IOC_DEL, 0), 0, "   it can be deleted");
	close(s->raw.ctl);
	reap(s);
	ok(module_free(10), "   nothing holds the module");
}

/* ---- scenarios ---- */

static void killed(const char *what, int how)
{
	struct server s;

	server_start(&s, how);
	clients_start(&s);
	clients_settle(&s);
	kill(s.pid, SIGKILL);
	aftermath(&s, what, EIO, 10);
}

static void leaves_by_itself(const char *what, int how)
{
	struct server s;

	server_start(&s, how);
	clients_start(&s);
	aftermath(&s, what, EIO, 10);
}

static void deleted(const char *what, int how, int signal)
{
	struct server s;
	int status = -1;
	double start;

	server_start(&s, how);
	clients_start(&s);
	clients_settle(&s);
	is(raw_ctl(&s.raw, UBDX_IOC_DEL, 0), -EBUSY, "DEL of an open device is refused");
	if (signal)
		kill(s.pid, signal);
	start = raw_now();
	is(raw_ctl(&s.raw, UBDX_IOC_DEL, UBDX_CTL_FORCE), 0, "a forced one is not");
	ok(raw_now() - start < 5, "   and doesn't wait for the server");
	if (!signal) {
		within(5, waitpid(s.pid, &status, WNOHANG));
		is(status, 0, "   the server is told and leaves");
	}
	aftermath(&s, what, EIO, 10);
}

static void timed_out(const char *what, int how, int signal, int error)
{
	struct server s;
	double start;

	server_start(&s, how | SHORT_TIMEOUT);
	clients_start(&s);
	clients_settle(&s);
	start = raw_now();
	if (signal)
		kill(s.pid, signal);
	ok(clients_ended(8), "%s: requests end", what);
	ok(raw_now() - start < 5, "   soon after the timeout");
	aftermath(&s, what, error, 10);
}

static void client_killed(void)
{
	struct server s;
	char *mem = raw_mem(4096);
	pid_t pid;
	int fd, i;

	server_start(&s, 0);
	pid = fork();
	if (!pid) {
		clients_start(&s);
		clients_ended(1000);
		_exit(0);
	}
	poll(NULL, 0, 300);
	kill(pid, SIGKILL);
	waitpid(pid, NULL, 0);
	fd = raw_bdev(&s.raw, O_RDWR);
	for (i = 0; i < 100; i++)
		if (pread(fd, mem, 4096, 4096 * i) != 4096)
			break;
	is(i, 100, "a client is killed: the device serves on");
	close(fd);
	is(raw_ctl(&s.raw, UBDX_IOC_DEL, 0), 0, "   and can be deleted");
	close(s.raw.ctl);
	reap(&s);
	ok(module_free(10), "   nothing holds the module");
}

/* Whoever tries to become the server while there is one changes nothing for the one there is. */
static void second_open(void)
{
	struct server s;
	char path[32];
	int i, fd, refused = 0;
	long before;

	server_start(&s, 0);
	clients_start(&s);
	clients_settle(&s);
	snprintf(path, sizeof(path), "/dev/ubdxc%d", s.raw.add.id);
	before = ios;
	for (i = 0; i < 500; i++) {
		fd = open(path, O_RDWR);
		refused += fd < 0 && errno == EBUSY;
		if (fd >= 0)
			close(fd);
	}
	is(refused, 500, "a second open of the channel under load is refused, 500 times");
	is(running, CLIENTS, "   and no request fails");
	poll(NULL, 0, 100);
	ok(ios > before, "   the device serves on");
	kill(s.pid, SIGKILL);
	aftermath(&s, "   killed after that", EIO, 10);
}

/* The payload's copy waits for a page that nobody provides. */
static void stuck(void)
{
	struct server s;
	double start;

	server_start(&s, STUCK | SHORT_TIMEOUT);
	start = raw_now();
	clients_start(&s);
	ok(clients_ended(8), "stuck in a page fault past the timeout: requests end");
	ok(raw_now() - start < 6, "   soon after it");
	is(waitpid(s.pid, NULL, WNOHANG), 0, "   the server is left to itself");
	kill(s.pid, SIGKILL);
	aftermath(&s, "stuck", ETIMEDOUT, 10);
}

/* In the driver, or where nobody but the server has any part in it. */
static void stuck_deleted(int how, const char *what)
{
	struct server s;
	double start;
	long before;

	server_start(&s, how);
	clients_start(&s);
	do {
		before = ios;
		poll(NULL, 0, 300);
	} while (ios != before);
	start = raw_now();
	is(raw_ctl(&s.raw, UBDX_IOC_DEL, UBDX_CTL_FORCE), 0, what);
	ok(raw_now() - start < 5, "   doesn't wait for the server");
	kill(s.pid, SIGKILL);
	aftermath(&s, what, EIO, 10);
}

/* The device waits for another server if the first dies before START. */
static void dead_before_start(void)
{
	struct raw_server s;
	struct server first;
	int ret;

	server_start(&first, NO_START);
	kill(first.pid, SIGKILL);
	waitpid(first.pid, NULL, 0);

	memset(&s, 0, sizeof(s));
	s.raw = first.raw;
	within(5, (ret = raw_open(&s.raw)) != -EBUSY);
	is(ret, 0, "killed before START: another server can open the device");
	s.raw.add.params.depth = 16;
	is(raw_queue_init(&s.raw, &s.queue, 0) ?: raw_fetch_all(&s.queue), 0, "   fetch");
	is(raw_ctl(&s.raw, UBDX_IOC_START, 0), 0, "   and start it");
	is(raw_ctl(&s.raw, UBDX_IOC_DEL, UBDX_CTL_FORCE), 0, "   it can be deleted");
	raw_queue_exit(&s.queue);
	close(s.raw.chan);
	close(s.raw.ctl);
	ok(module_free(10), "   nothing holds the module");
}

/* Only the end of its mm tells: no request comes, and the child keeps ring and channel. */
static void idle_fork(void)
{
	struct server s;

	server_start(&s, FORKED);
	close(raw_bdev(&s.raw, O_RDWR));
	poll(NULL, 0, 300); /* the partition scan is over */
	kill(s.pid, SIGKILL);
	ok(raw_gone(&s.raw, 10),
	   "SIGKILL while idle, a forked child keeps ring and channel: the device goes");
	raw_ctl(&s.raw, UBDX_IOC_DEL, UBDX_CTL_FORCE);
	close(s.raw.ctl);
	reap(&s);
	ok(module_free(10), "   nothing holds the module");
}

/* Only the end of the ring tells: no request comes, and the process stays. */
static void idle_ring(void)
{
	struct server s;
	void *mem = raw_mem(4096);
	int fd;

	server_start(&s, RING_CLOSED_IDLE);
	fd = raw_bdev(&s.raw, O_RDWR);
	is(pread(fd, mem, 4096, CLIENT_FIRST * 512), 4096, "the ring is closed while idle");
	close(fd);
	ok(raw_gone(&s.raw, 10), "   the device goes");
	raw_ctl(&s.raw, UBDX_IOC_DEL, UBDX_CTL_FORCE);
	close(s.raw.ctl);
	reap(&s);
	ok(module_free(10), "   nothing holds the module");
}

/* At moments that nobody chose. */
static void races(unsigned int rounds)
{
	unsigned int i, seed = 1, ended = 0, gone = 0, deleted = 0;

	for (i = 0; i < rounds; i++) {
		struct server s;
		int how = rand_r(&seed) % 2 ? FORKED : 0;

		server_start(&s, how);
		if (rand_r(&seed) % 4)
			clients_start(&s);
		else
			running = 0;
		usleep(rand_r(&seed) % 20000);
		if (rand_r(&seed) % 3)
			kill(s.pid, SIGKILL);
		else
			deleted += raw_ctl(&s.raw, UBDX_IOC_DEL, UBDX_CTL_FORCE) == 0;
		ended += clients_ended(10);
		if (clients[0].thread)
			clients_join(EIO);
		memset(clients, 0, sizeof(clients));
		gone += raw_gone(&s.raw, 10);
		raw_ctl(&s.raw, UBDX_IOC_DEL, UBDX_CTL_FORCE);
		close(s.raw.ctl);
		reap(&s);
	}
	is(ended, rounds, "killed or deleted at any moment: every request ends");
	is(gone, rounds, "   every block device goes");
	ok(deleted > 0, "   (some were deleted)");
	ok(module_free(10), "   nothing holds the module");
}

int main(void)
{
	killed("SIGKILL under load", 0);
	killed("SIGKILL while it holds requests", HOLD);
	killed("SIGKILL while a forked child keeps ring and channel", FORKED);
	killed("the same while it holds requests", FORKED | HOLD);
	leaves_by_itself("a queue's thread exits", THREAD_EXITS);
	leaves_by_itself("the ring is closed", RING_CLOSED);
	deleted("forced DEL under load", 0, 0);
	deleted("forced DEL while it holds requests", HOLD, 0);
	deleted("forced DEL while it is stopped", 0, SIGSTOP);
	timed_out("a request is held past the timeout", HOLD, 0, ETIMEDOUT);
	timed_out("SIGSTOP past the timeout", 0, SIGSTOP, ETIMEDOUT);
	stuck();
	stuck_deleted(STUCK, "stuck in a page fault: a forced DEL");
	stuck_deleted(RING_STUCK, "stuck with its ring locked: a forced DEL");
	client_killed();
	second_open();
	dead_before_start();
	idle_fork();
	idle_ring();
	races(40);
	return done();
}
