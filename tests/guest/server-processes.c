// SPDX-License-Identifier: GPL-2.0
/*
 * server-processes.c - a server need not be one process: all processes that share its memory are
 * killed with it, and others are left alone.
 */
#define _GNU_SOURCE
#include <errno.h>
#include <fcntl.h>
#include <sched.h>
#include <signal.h>
#include <stdatomic.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/prctl.h>
#include <sys/wait.h>
#include <unistd.h>

#include "held.h"
#include "tap.h"

/* Delete the device by force, wait for the reader, and close both descriptors. */
static void deleted_under(struct reader *r, struct raw *raw)
{
	is(raw_ctl(raw, UBDX_IOC_DEL, UBDX_CTL_FORCE), 0, "   the device is deleted");
	ok(within(15, r->ended), "   its request ends");
	if (!r->ended)
		bail("it hangs");
	close(r->fd);
	close(raw->ctl);
}

/* ---- two processes with one memory ---- */

static struct raw_server shared_server; /* in the memory that both processes share */
static atomic_int fetched;

/* Another process with the server's memory and files. It gets stuck in a page fault. */
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

/* Writes the second process's pid to *out once the device is live, or -1. */
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
	within(10, fetched);
	atomic_store(out, raw_ctl(raw, UBDX_IOC_START, 0) ? -1 : pid);
	for (;;)
		pause();
}

/*
 * Both processes must die before another server may follow, also the stuck one, which didn't open
 * the channel.
 */
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
	if (!within(10, *second) || *second < 0)
		bail("a server of two processes");
	raw.ctl = open("/dev/" UBDX_CONTROL_NAME, O_RDWR | O_CLOEXEC);
	reader_start(&reader, &raw);
	is(state_without_server(&raw, 15), UBDX_S_QUIESCED,
	   "a server of two processes that share memory is stuck: its device waits for another");
	ok(killed(pid), "   the process that opened the channel is killed");
	ok(killed(*second), "   and so is the other one");
	deleted_under(&reader, &raw);
	munmap(second, 4096);
}

/* ---- a server that executes another program ---- */

/*
 * exec() ends the server, and its process goes on as a program that has nothing to do with the
 * device.
 */
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
		raw_server_start(&s, hold_or_answer);
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

/* ---- a server without a main thread ---- */

static int32_t leaves(struct raw_queue *q, const struct ubdx_desc *desc, char *buf)
{
	if (desc->sector == AT / 512)
		pthread_exit(NULL);
	return hold_or_answer(q, desc, buf);
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

/*
 * The main thread exits, then the queue's. A third thread could still write to the device's
 * storage.
 */
static void server_without_a_leader(void)
{
	struct raw raw = { .path = "/dev/ubdxb7", .add.id = 7 };
	struct reader reader;
	pid_t pid;

	pid = fork();
	if (pid == 0)
		leaderless_process();
	within(10, leader_is_gone(pid));
	raw.ctl = open("/dev/" UBDX_CONTROL_NAME, O_RDWR | O_CLOEXEC);
	reader_start(&reader, &raw);
	is(state_without_server(&raw, 15), UBDX_S_QUIESCED,
	   "a server's main thread has left, and then its queue's: its device waits for another");
	ok(killed(pid), "   the rest of it is killed");
	deleted_under(&reader, &raw);
}

/* ---- a clone that a signal can't end ---- */

/* Shared by the failing server and this process, which becomes its successor. */
struct failing {
	char path[32]; /* of a device whose READs are held */
	atomic_int ready, go;
	atomic_int clone; /* the pid of the process that shares the server's memory */
};

static struct failing *failing;

/*
 * A process outside the server's thread group that shares the server's memory. It waits in a read
 * that no signal interrupts.
 */
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
	raw_server_start(&s, hold_or_answer);
	atomic_store(&failing->ready, 1);
	within(30, failing->go);
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

/* The clone must be dead before the next server STARTs: both could write to the same storage. */
static void shares_memory_with_the_dead(void)
{
	struct raw raw = { .path = "/dev/ubdxb8", .add = { .id = 8, .params.depth = 16 } };
	struct starter starter = { .raw = &raw };
	struct raw_server storage;
	struct raw_queue q;
	pid_t pid;
	int ret;

	failing = mmap(NULL, sizeof(*failing), PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS,
		       -1, 0);
	prctl(PR_SET_CHILD_SUBREAPER, 1);
	pid = fork();
	if (pid == 0)
		failing_process();
	if (!within(10, failing->ready))
		bail("a server that is to fail");
	raw_defaults(&storage.raw);
	raw_server_start(&storage, hold_or_answer);
	close(raw_bdev(&storage.raw, O_RDONLY));
	atomic_store(&holds, true);
	atomic_store(&held, 0);
	strcpy(failing->path, storage.raw.path);
	atomic_store(&failing->go, 1);
	if (!within(10, held))
		bail("no request of the clone");

	kill(pid, SIGKILL);
	raw.ctl = open("/dev/" UBDX_CONTROL_NAME, O_RDWR | O_CLOEXEC);
	is(state_without_server(&raw, 15), UBDX_S_QUIESCED,
	   "a server is killed, and a clone with its memory is held up: the device waits");
	within(5, (ret = raw_open(&raw)) != -EBUSY);
	is(ret ?: raw_queue_init(&raw, &q, 0) ?: raw_fetch_all(&q), 0, "   another gets ready");
	pthread_create(&starter.thread, NULL, starter_main, &starter);
	poll(NULL, 0, 500);
	ok(!starter.ended, "   but can't START while the clone is there");
	atomic_store(&holds, false);
	raw_server_stop(&storage);
	ok(killed(failing->clone), "   the clone was killed");
	ok(killed(pid), "   and so was the server");
	pthread_join(starter.thread, NULL);
	is(starter.ret, 0, "   and after the end of both it can");
	is(raw_ctl(&raw, UBDX_IOC_DEL, UBDX_CTL_FORCE), 0, "   the device is deleted");
	raw_queue_exit(&q);
	close(raw.chan);
	close(raw.ctl);
	munmap(failing, sizeof(*failing));
}

int main(void)
{
	server_execs();
	server_without_a_leader();
	two_processes();
	shares_memory_with_the_dead();
	return done();
}
