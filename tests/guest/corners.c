// SPDX-License-Identifier: GPL-2.0
/*
 * corners.c - what a reader of the driver was suspicious of: rings of every kind, commands from where they don't come
 * from, servers that are not one process, servers that follow others, and deletions that meet others who wait.
 */
#define _GNU_SOURCE
#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <sched.h>
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

#define AT (1 << 20) /* the partition scan is elsewhere */

static atomic_bool holds; /* requests of that place are not answered */
static atomic_int held;

static int32_t answer(struct raw_queue *q, const struct ubdx_desc *desc, char *buf)
{
	if (atomic_load(&holds) && desc->sector == AT / 512) {
		atomic_fetch_add(&held, 1);
		return RAW_HOLD;
	}
	return desc->op == UBDX_OP_FLUSH ? 0 : (int32_t)desc->nr_sectors * 512;
}

/* ---- rings ---- */

static void ring_serves(const char *name, unsigned int flags)
{
	char *mem = raw_mem(65536);
	struct raw_server s;
	int fd, n;

	raw_defaults(&s.raw);
	s.raw.ring_flags = flags;
	raw_server_start(&s, answer);
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

/* There is nothing to poll for: older kernels refuse, newer ones park it as on any ring. */
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

/* ---- who else could issue commands ---- */

struct other {
	struct raw_queue *q;
	int fetch, commit;
};

/* Any task that has it can submit to a ring that is not of SINGLE_ISSUER. */
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
	is(WEXITSTATUS(status), 1, "   nor by a forked child");
	raw_queue_exit(&q);
	close(raw.chan);
	raw_ctl(&raw, UBDX_IOC_DEL, 0);
	close(raw.ctl);
}

/* ---- servers that are not one process ---- */

static struct raw_server shared_server; /* of whoever has this memory */
static atomic_int fetched;

/* Another process, with the server's memory and files. Its buffer never becomes accessible. */
static int second_process(void *arg)
{
	struct raw_queue *q = &shared_server.queue;

	if (!raw_queue_init(&shared_server.raw, q, 0) && !raw_fetch_all(q))
		atomic_store(&fetched, 1);
	for (;;) {
		int tag = raw_next(q);

		if (tag < 0)
			break;
		if (q->desc[tag].sector == AT / 512 &&
		    raw_never_provide(q->buf + (size_t)tag * RAW_BUF_BYTES, RAW_BUF_BYTES))
			break;
		raw_commit(q, 0, tag, q->desc[tag].seq, q->desc[tag].nr_sectors * 512, 0);
	}
	pause();
	return 0;
}

/* Tells the second one's pid when it serves, or -1. */
static void first_process(atomic_int *out)
{
	struct raw *raw = &shared_server.raw;
	char *stack = raw_mem(1 << 20);
	pid_t pid;

	raw_defaults(raw);
	raw->add.id = 5;
	raw->add.params.timeout_ms = 1000;
	raw->add.params.recovery = UBDX_RECOVERY_QUEUE;
	if (raw_add(raw) || raw_open(raw))
		_exit(1);
	pid = clone(second_process, stack + (1 << 20), CLONE_VM | CLONE_FILES | SIGCHLD, NULL);
	raw_until(&fetched, 10);
	atomic_store(out, raw_ctl(raw, UBDX_IOC_START, 0) ? -1 : pid);
	for (;;)
		pause();
}

struct reader {
	pthread_t thread;
	int fd, error;
	atomic_int ended;
};

static void *reader_main(void *arg)
{
	struct reader *r = arg;
	char *mem = raw_mem(4096);

	r->error = pread(r->fd, mem, 4096, AT) == 4096 ? 0 : errno;
	atomic_store(&r->ended, 1);
	return NULL;
}

static void start_reader(struct reader *r, const struct raw *raw)
{
	*r = (struct reader){ .fd = raw_bdev(raw, O_RDWR) };
	pthread_create(&r->thread, NULL, reader_main, r);
}

/* The device and its control are closed. */
static void deleted_under(struct reader *r, struct raw *raw)
{
	is(raw_ctl(raw, UBDX_IOC_DEL, UBDX_CTL_FORCE), 0, "   the device is deleted");
	ok(raw_until(&r->ended, 15), "   its request ends");
	if (!r->ended)
		bail("it hangs");
	close(r->fd);
	close(raw->ctl);
}

/* The state of a device that is about to wait for its next server, when it does, or after so long. */
static uint32_t state_without_server(const struct raw *raw, unsigned int seconds)
{
	double end = raw_now() + seconds;
	struct ubdx_info info = {};

	do {
		poll(NULL, 0, 10);
		if (raw_info(raw, &info))
			bail("no such device");
	} while (info.state != UBDX_S_QUIESCED && raw_now() < end);
	return info.state;
}

static bool killed(pid_t pid)
{
	double end = raw_now() + 10;
	int status = 0;

	while (waitpid(pid, &status, WNOHANG) == 0 && raw_now() < end)
		poll(NULL, 0, 10);
	return WIFSIGNALED(status) && WTERMSIG(status) == SIGKILL;
}

/* When another is to serve, killing who opened the channel isn't enough: who is stuck is another process. */
static void two_processes(void)
{
	atomic_int *second =
		mmap(NULL, 4096, PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS, -1, 0);
	struct raw raw = { .path = "/dev/ubdxb5", .add.id = 5 };
	struct reader reader;
	pid_t pid;

	prctl(PR_SET_CHILD_SUBREAPER, 1);
	pid = fork();
	if (pid == 0)
		first_process(second);
	if (!raw_until(second, 10) || *second < 0)
		bail("a server of two processes");
	raw.ctl = open("/dev/" UBDX_CONTROL_NAME, O_RDWR | O_CLOEXEC);
	start_reader(&reader, &raw);
	is(state_without_server(&raw, 15), UBDX_S_QUIESCED,
	   "a server of two processes that share memory is stuck: its device waits for another");
	ok(killed(pid), "   who opened the channel is killed");
	ok(killed(*second), "   and so is the other");
	deleted_under(&reader, &raw);
	munmap(second, 4096);
}

/* The server is gone, and its process is another program, which has nothing to do with the device. */
static void server_execs(void)
{
	struct raw raw = { .path = "/dev/ubdxb6", .add.id = 6 };
	int status, go[2];
	pid_t pid;

	if (pipe(go))
		bail("pipe");
	pid = fork();
	if (pid == 0) {
		static struct raw_server s;

		raw_defaults(&s.raw);
		s.raw.add.id = 6;
		s.raw.add.params.recovery = UBDX_RECOVERY_REISSUE;
		raw_server_start(&s, answer);
		if (write(go[1], "x", 1) == 1)
			execlp("sleep", "sleep", "3", NULL);
		_exit(1);
	}
	if (read(go[0], &status, 1) != 1)
		bail("a server that executes another program");
	raw.ctl = open("/dev/" UBDX_CONTROL_NAME, O_RDWR | O_CLOEXEC);
	is(state_without_server(&raw, 10), UBDX_S_QUIESCED,
	   "a server that executes another program is gone");
	waitpid(pid, &status, 0);
	ok(WIFEXITED(status) && WEXITSTATUS(status) == 0, "   and the program lives");
	is(raw_ctl(&raw, UBDX_IOC_DEL, UBDX_CTL_FORCE), 0, "   the device is deleted");
	close(raw.ctl);
	close(go[0]);
	close(go[1]);
}

static int32_t leaves(struct raw_queue *q, const struct ubdx_desc *desc, char *buf)
{
	if (desc->sector == AT / 512)
		pthread_exit(NULL);
	return answer(q, desc, buf);
}

static void *stays(void *arg)
{
	for (;;)
		pause();
	return arg;
}

static void leaderless_process(void)
{
	static struct raw_server s;
	pthread_t thread;

	raw_defaults(&s.raw);
	s.raw.add.id = 7;
	s.raw.add.params.recovery = UBDX_RECOVERY_QUEUE;
	raw_server_start(&s, leaves);
	pthread_create(&thread, NULL, stays, NULL);
	pthread_exit(NULL);
}

static bool leader_is_gone(pid_t pid)
{
	char path[64], text[256] = "", *state;
	int fd;

	snprintf(path, sizeof(path), "/proc/%d/stat", pid);
	fd = open(path, O_RDONLY);
	if (fd < 0 || read(fd, text, sizeof(text) - 1) <= 0)
		bail("%s: %s", path, strerror(errno));
	close(fd);
	state = strrchr(text, ')');
	return state && state[2] == 'Z';
}

/* Its main thread is gone, and then its queue's. A third could write to what the device stores. */
static void server_without_a_leader(void)
{
	struct raw raw = { .path = "/dev/ubdxb7", .add.id = 7 };
	struct reader reader;
	double end;
	pid_t pid;

	pid = fork();
	if (pid == 0)
		leaderless_process();
	for (end = raw_now() + 10; !leader_is_gone(pid) && raw_now() < end;)
		poll(NULL, 0, 10);
	raw.ctl = open("/dev/" UBDX_CONTROL_NAME, O_RDWR | O_CLOEXEC);
	start_reader(&reader, &raw);
	is(state_without_server(&raw, 15), UBDX_S_QUIESCED,
	   "a server's main thread has left, and then its queue's: its device waits for another");
	ok(killed(pid), "   the rest of it is killed");
	deleted_under(&reader, &raw);
}

/* ---- the next server ---- */

/* What a server that fails and its successor's process share. */
struct failing {
	char path[32]; /* of a device whose READs are held */
	atomic_int ready, go;
	atomic_int clone; /* the pid of who shares the server's memory */
};

static struct failing *failing;

/* In nobody's thread group, with the server's memory, and where no signal reaches it. */
static int held_up(void *arg)
{
	int fd = open(failing->path, O_RDONLY | O_DIRECT);

	if (pread(fd, arg, 4096, AT) < 0)
		return 1;
	for (;;)
		pause();
}

static void failing_process(void)
{
	static struct raw_server s;
	char *stack = raw_mem(1 << 20);

	raw_defaults(&s.raw);
	s.raw.add.id = 8;
	s.raw.add.params.recovery = UBDX_RECOVERY_QUEUE;
	raw_server_start(&s, answer);
	atomic_store(&failing->ready, 1);
	raw_until(&failing->go, 30);
	atomic_store(&failing->clone, clone(held_up, stack + (1 << 20), CLONE_VM | SIGCHLD, stack));
	for (;;)
		pause();
}

struct starter {
	pthread_t thread;
	struct raw *raw;
	int ret;
	atomic_int ended;
};

static void *starter_main(void *arg)
{
	struct starter *s = arg;

	s->ret = raw_ctl(s->raw, UBDX_IOC_START, 0);
	atomic_store(&s->ended, 1);
	return NULL;
}

/* It must not write to the storage that the next server writes to. */
static void shares_memory_with_the_dead(void)
{
	struct raw raw = { .path = "/dev/ubdxb8", .add = { .id = 8, .params.depth = 16 } };
	struct starter starter = { .raw = &raw };
	struct raw_server storage;
	struct raw_queue q;
	double end;
	pid_t pid;
	int ret;

	failing = mmap(NULL, sizeof(*failing), PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS,
		       -1, 0);
	prctl(PR_SET_CHILD_SUBREAPER, 1);
	pid = fork();
	if (pid == 0)
		failing_process();
	if (!raw_until(&failing->ready, 10))
		bail("a server that is to fail");
	raw_defaults(&storage.raw);
	raw_server_start(&storage, answer);
	close(raw_bdev(&storage.raw, O_RDONLY));
	atomic_store(&holds, true);
	atomic_store(&held, 0);
	strcpy(failing->path, storage.raw.path);
	atomic_store(&failing->go, 1);
	if (!raw_until(&held, 10))
		bail("no request of the clone");

	kill(pid, SIGKILL);
	raw.ctl = open("/dev/" UBDX_CONTROL_NAME, O_RDWR | O_CLOEXEC);
	is(state_without_server(&raw, 15), UBDX_S_QUIESCED,
	   "a server is killed, and a clone with its memory is held up: the device waits");
	end = raw_now() + 5;
	while ((ret = raw_open(&raw)) == -EBUSY && raw_now() < end)
		poll(NULL, 0, 10);
	is(ret ?: raw_queue_init(&raw, &q, 0) ?: raw_fetch_all(&q), 0, "   another gets ready");
	pthread_create(&starter.thread, NULL, starter_main, &starter);
	poll(NULL, 0, 500);
	ok(!starter.ended, "   but can't START while the clone is there");
	atomic_store(&holds, false);
	raw_server_stop(&storage);
	pthread_join(starter.thread, NULL);
	is(starter.ret, 0, "   and can after its end");
	ok(killed(failing->clone), "   the clone was killed");
	ok(killed(pid), "   and so was the server");
	is(raw_ctl(&raw, UBDX_IOC_DEL, UBDX_CTL_FORCE), 0, "   the device is deleted");
	raw_queue_exit(&q);
	close(raw.chan);
	close(raw.ctl);
	munmap(failing, sizeof(*failing));
}

/* Opens the channel, and never calls START. */
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
	double end;
	int ret;

	if (wait > 0)
		poll(NULL, 0, wait * 1000 + 100);
	end = raw_now() + 10;
	while ((ret = raw_open(&second)) == -EBUSY && raw_now() < end)
		poll(NULL, 0, 10);
	is(ret, 0, "a server that didn't START is let go for a second one");
	is(raw_next(&idlers_queue), -ENODEV, "   and learns that");
	raw_queue_exit(&idlers_queue);
	close(idler.chan);
	is(raw_ctl(&second, UBDX_IOC_DEL, UBDX_CTL_FORCE), 0, "   the device is deleted");
	close(second.chan);
	close(second.ctl);
}

/* ---- deletions that meet others ---- */

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
	poll(NULL, 0, 100); /* it is to be waiting by now */
}

/* A request is held for as long as it likes, well below the timeout; somebody else waits for its end. */
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
	raw_server_start(&s, answer);
	start_reader(&reader, &s.raw);
	if (!raw_until(&held, 10))
		bail("no request");
	start_caller(&caller, &s.raw, cmd);
	start = raw_now();
	is(raw_ctl(&s.raw, UBDX_IOC_DEL, UBDX_CTL_FORCE), 0, what);
	ok(raw_now() - start < 15, "   doesn't wait: %.1f s", raw_now() - start);
	ok(raw_until(&caller.ended, 10), "   what waited ends");
	ok(raw_until(&reader.ended, 10), "   and so does the request");
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
	raw_server_start(&s, answer);
	close(raw_bdev(&s.raw, O_RDONLY));
	atomic_store(&holds, true);
	pthread_create(&closer, NULL, close_while_reading, &s.raw);
	if (!raw_until(&held, 10))
		bail("no request");
	poll(NULL, 0, 100); /* it is to be closing by now */
	start_caller(&caller, &s.raw, UBDX_IOC_DEL);
	ok(!atomic_load(&caller.ended), "DEL waits for the last close");
	start = raw_now();
	/* who is second finds that somebody else does it */
	raw_ctl(&s.raw, UBDX_IOC_DEL, UBDX_CTL_FORCE);
	ok(raw_now() - start < 15, "   a forced one doesn't wait for it");
	ok(raw_until(&caller.ended, 10), "   and the first one ends");
	atomic_store(&holds, false);
	pthread_join(closer, NULL);
	pthread_join(s.thread, NULL);
	pthread_join(caller.thread, NULL);
	ok(raw_gone(&s.raw, 10), "   the device is gone");
	close(s.raw.chan);
	close(s.raw.ctl);
}

/* ---- a server that was let go ---- */

struct ousted {
	struct raw raw;
	pthread_t thread;
	atomic_int ready, ousted, go, ended;
	int odd; /* answers of the driver's that are not what they should be */
};

/* Serves until it is let go, and then answers whatever its successor may have. */
static void *ousted_main(void *arg)
{
	struct ousted *o = arg;
	struct raw_queue q;
	unsigned int tag;
	uint32_t seq;

	if (raw_queue_init(&o->raw, &q, 0) || raw_fetch_all(&q))
		bail("a server that is to be let go");
	atomic_store(&o->ready, 1);
	raw_serve(&q, answer);
	atomic_store(&o->ousted, 1);
	raw_until(&o->go, 30);
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
	raw_serve(&q, answer);
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
	if (!raw_until(&first.ready, 10) || raw_ctl(&first.raw, UBDX_IOC_START, 0))
		bail("start");
	is(raw_ctl(&first.raw, UBDX_IOC_QUIESCE, 0), 0, "a hand-over");
	ok(raw_until(&first.ousted, 10), "   the server is let go");

	second.raw = first.raw;
	if (raw_open(&second.raw))
		bail("open by the successor");
	pthread_create(&second.thread, NULL, successor_main, &second);
	if (!raw_until(&second.ready, 10) || raw_ctl(&second.raw, UBDX_IOC_START, 0))
		bail("start of the successor");
	start_reader(&reader, &second.raw);
	if (!raw_until(&held, 10))
		bail("no request");
	atomic_store(&first.go, 1);
	ok(raw_until(&first.ended, 30) && !first.odd, "   it can answer nothing any more: %d",
	   first.odd);
	ok(!atomic_load(&reader.ended), "   and its successor's request goes on");
	is(raw_ctl(&second.raw, UBDX_IOC_DEL, UBDX_CTL_FORCE), 0, "   until the device is deleted");
	ok(raw_until(&reader.ended, 10), "   then it ends");
	atomic_store(&holds, false);
	pthread_join(first.thread, NULL);
	pthread_join(second.thread, NULL);
	pthread_join(reader.thread, NULL);
	close(reader.fd);
	close(first.raw.ctl);
}

/* ---- a server whose buffers are its own device ---- */

/*
 * Every tag's buffer is the page that the request is for: to have that page be there the request must end first. A
 * WRITE's is waited for by nobody whom a signal wakes.
 */
static void serves_itself(bool write)
{
	char *mem = raw_mem(4096);
	struct raw_server s;
	unsigned int tag;
	int fd, ret, error;
	bool gone;

	raw_defaults(&s.raw);
	s.raw.add.params.timeout_ms = 1000;
	raw_server_start(&s, answer);
	fd = raw_bdev(&s.raw, O_RDWR);
	fcntl(fd, F_SETFL, 0); /* by way of the page cache */
	for (tag = 0; tag < s.queue.depth; tag++)
		if (mmap(s.queue.buf + (size_t)tag * RAW_BUF_BYTES, RAW_BUF_BYTES,
			 PROT_READ | PROT_WRITE, MAP_SHARED | MAP_FIXED, fd, AT) == MAP_FAILED)
			bail("mmap: %s", strerror(errno));
	ret = write ? pwrite(fd, mem, 4096, AT) : pread(fd, mem, 4096, AT);
	if (write && ret == 4096)
		ret = fdatasync(fd);
	error = ret < 0 ? errno : 0;
	gone = raw_gone(&s.raw, 10);
	/*
	 * An error. The server reads that page, too, so that the device may have been given up for this before the
	 * request came: a device that is gone ends at once, and has nothing to make stable.
	 */
	ok(error == EIO || (gone && (error == ENOSPC || error == ENXIO || ret == 0)),
	   "a %s of the page that is its buffer ends: %d, %s", write ? "WRITE" : "READ", ret,
	   strerror(error));
	ok(gone, "   the device goes");
	raw_server_stop(&s);
	ok(true, "   and its server was not held up");
	close(fd);
	munmap(mem, 4096);
}

/* ---- a commit that waits for what was answered with it ---- */

#define FAR (2 << 20)

static int cached; /* the device, by way of the page cache */
static struct ubdx_desc together[16];
static atomic_int nr_together;

/*
 * What is for the page at AT is kept, and then answered together with what is for FAR, whose buffer by then is that very
 * page: to copy from it is to wait until the others have ended.
 */
static int32_t answer_together(struct raw_queue *q, const struct ubdx_desc *desc, char *buf)
{
	int32_t bytes = desc->op == UBDX_OP_FLUSH ? 0 : (int32_t)desc->nr_sectors * 512;
	int i, nr = atomic_load(&nr_together);

	if (desc->sector / 8 == AT / 4096 && nr < 16) {
		memset(buf, 'a', bytes);
		together[nr] = *desc;
		atomic_store(&nr_together, nr + 1);
		return RAW_HOLD;
	}
	if (desc->sector == FAR / 512) {
		for (i = 0; i < nr; i++)
			raw_commit_later(q, together[i].tag, together[i].seq,
					 (int32_t)together[i].nr_sectors * 512, UBDX_COMMIT_MORE);
		/* more than two in a submission, else there is no batch */
		for (i = 0; i < 2; i++) {
			struct io_uring_sqe *sqe = io_uring_get_sqe(&q->ring);

			io_uring_prep_nop(sqe);
			sqe->flags |= IOSQE_CQE_SKIP_SUCCESS;
		}
		if (mmap(buf, 4096, PROT_READ, MAP_SHARED | MAP_FIXED, cached, AT) == MAP_FAILED)
			return -EIO;
	}
	return bytes;
}

static void waits_for_its_batch(void)
{
	char *mem = raw_mem(4096);
	struct reader reader;
	struct raw_server s;
	int fd;

	raw_defaults(&s.raw);
	s.raw.add.params.timeout_ms = 3000 * raw_slow();
	raw_server_start(&s, answer_together);
	cached = raw_bdev(&s.raw, O_RDWR);
	fcntl(cached, F_SETFL, 0);
	posix_fadvise(cached, 0, 0, POSIX_FADV_RANDOM);
	reader = (struct reader){ .fd = cached };
	pthread_create(&reader.thread, NULL, reader_main, &reader);
	if (!raw_until(&nr_together, 10))
		bail("no request");
	poll(NULL, 0, 100); /* there may be more of them */
	fd = raw_bdev(&s.raw, O_RDWR);
	is(pread(fd, mem, 4096, FAR), 4096, "a READ whose buffer is what another READ fills");
	ok(mem[0] == 'a' && !memcmp(mem, mem + 1, 4095), "   has what that one was answered");
	ok(raw_until(&reader.ended, 10) && !reader.error, "   which has ended before it");
	pthread_join(reader.thread, NULL);
	raw_server_stop(&s);
	close(fd);
	close(cached);
	munmap(mem, 4096);
}

int main(void)
{
	idler_begins();
	serves_itself(true);
	serves_itself(false);
	waits_for_its_batch();
	rings();
	other_tasks();
	server_execs();
	server_without_a_leader();
	forced_while("a forced DEL while a hand-over waits for the server", UBDX_IOC_QUIESCE);
	forced_while_deleting();
	two_processes();
	after_a_hand_over();
	shares_memory_with_the_dead();
	idler_ends();
	return done();
}
