// SPDX-License-Identifier: GPL-2.0
/*
 * matrix_server.c - a cell's server: two queues with a thread each, and signals that make a thread
 * or the server end.
 *
 * SIGUSR1 makes a queue's thread exit, SIGUSR2 makes it close its ring, as soon as the thread is in
 * user space. SIGTERM makes the process exit.
 */
#define _GNU_SOURCE
#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <signal.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/syscall.h>
#include <unistd.h>

#include "matrix.h"
#include "tap.h"

static struct shared *shared;
static struct raw device;
static struct raw_queue queues[QUEUES];
static pthread_barrier_t ready;
static __thread struct raw_queue *mine;

static uint64_t pattern(uint64_t sector, size_t word)
{
	return (sector << 16 | word) ^ 0x5bd1e995c3a1b7e5ULL;
}

/* Two words in each sector suffice to distinguish sectors. */
void pattern_fill(char *buf, uint64_t sector, size_t bytes)
{
	for (size_t i = 0; i < bytes / 512; i++, sector++) {
		uint64_t *words = (uint64_t *)(buf + i * 512);

		words[0] = pattern(sector, 0);
		words[63] = pattern(sector, 63);
	}
}

bool pattern_good(const char *buf, uint64_t sector, size_t bytes)
{
	for (size_t i = 0; i < bytes / 512; i++, sector++) {
		const uint64_t *words = (const uint64_t *)(buf + i * 512);

		if (words[0] != pattern(sector, 0) || words[63] != pattern(sector, 63))
			return false;
	}
	return true;
}

static void exit_thread(int sig)
{
	syscall(SYS_exit, 0);
}

static void close_ring(int sig)
{
	io_uring_queue_exit(&mine->ring);
	for (;;)
		pause();
}

static void exit_process(int sig)
{
	_exit(0);
}

/*
 * A server that is declared dead while it looks at a window finds zeroes from then on. Its answer
 * doesn't count then.
 */
static bool cut_off(const struct ubdx_desc *desc, const char *buf, size_t bytes)
{
	char *wanted;
	size_t i;

	if (desc->xfer != UBDX_XFER_MAP)
		return false;
	wanted = malloc(bytes);
	if (!wanted)
		bail("no memory");
	pattern_fill(wanted, desc->sector, bytes);
	for (i = 0; i < bytes; i++)
		if (buf[i] && buf[i] != wanted[i])
			break;
	free(wanted);
	return i == bytes;
}

/* The kernel reads the vector while it has the ring locked, and waits for the vector's page. */
static void get_ring_stuck(struct raw_queue *q)
{
	void *vector = raw_mem(4096);

	if (raw_never_provide(vector, 4096))
		bail("userfaultfd: %s", strerror(errno));
	io_uring_prep_readv(io_uring_get_sqe(&q->ring), open("/dev/zero", O_RDONLY), vector, 1, 0);
	io_uring_submit(&q->ring);
}

/*
 * Play the trick on a request of the load. Returns the answer, RAW_HOLD if there is to be none, or
 * 0 if the request is to be served as usual.
 */
static int32_t play(struct raw_queue *q, const struct ubdx_desc *desc)
{
	static __thread unsigned int nr;

	nr++;
	switch (shared->trick) {
	case HOLD_LOAD:
		atomic_fetch_add(&shared->held, 1);
		return RAW_HOLD;
	case BUFFERS_STUCK:
		if (nr == 1 && raw_never_provide(q->buf, (size_t)q->depth * RAW_BUF_BYTES))
			bail("userfaultfd: %s", strerror(errno));
		/* the server must not touch the buffer, from which the driver copies a READ */
		return desc->op == UBDX_OP_READ ? (int32_t)desc->nr_sectors * 512 : RAW_HOLD;
	case RING_STUCK:
		if (nr == 100)
			get_ring_stuck(q);
		return 0;
	default:
		return 0;
	}
}

static int32_t serve(struct raw_queue *q, const struct ubdx_desc *desc, char *buf)
{
	const struct mode *mode = shared->mode;
	size_t bytes = desc->nr_sectors * 512;
	int32_t res;

	/* the load: parts of a 1 MiB I/O can lie beyond LOAD_SECTORS; the scan is elsewhere */
	if (desc->sector >= LOAD_SECTOR && desc->sector < LOAD_SECTOR + LOAD_SECTORS + 2048) {
		res = play(q, desc);
		if (res)
			return res;
	}
	if (desc->sector == atomic_load(&shared->hold)) {
		atomic_store(&shared->held, 1);
		while (!atomic_load(&shared->go))
			poll(NULL, 0, 1);
	}
	switch (desc->op) {
	case UBDX_OP_READ:
		pattern_fill(buf, desc->sector, bytes);
		if (mode->give && mode->give(q, desc, buf, bytes))
			return -EIO;
		return bytes;
	case UBDX_OP_WRITE:
		if (mode->take && mode->take(q, desc, buf, bytes))
			return -EIO;
		if (!pattern_good(buf, desc->sector, bytes) && !cut_off(desc, buf, bytes))
			atomic_fetch_add(&shared->wrong_in, 1);
		return bytes;
	default:
		return 0;
	}
}

static void *queue_main(void *arg)
{
	struct raw_queue *q = arg;
	unsigned int qid = q - queues;
	sigset_t signals;
	int ret;

	mine = q;
	sigemptyset(&signals);
	sigaddset(&signals, SIGUSR1);
	sigaddset(&signals, SIGUSR2);
	pthread_sigmask(SIG_UNBLOCK, &signals, NULL);
	ret = raw_queue_init(&device, q, qid) ?: raw_fetch_all(q);
	if (ret)
		atomic_store(&shared->server_ready, ret);
	atomic_store(&shared->server_tid[qid], gettid());
	pthread_barrier_wait(&ready);
	raw_serve(q, serve);
	if (atomic_fetch_add(&shared->told, 1) + 1 == QUEUES)
		_exit(0);
	for (;;)
		pause();
}

/* The channel stays busy until the driver knows that the previous server is gone. */
static int open_again(void)
{
	int ret;

	device.ctl = open("/dev/" UBDX_CONTROL_NAME, O_RDWR | O_CLOEXEC);
	within(10, (ret = raw_open(&device)) != -EBUSY);
	return ret;
}

static void fork_child(void)
{
	pid_t pid = fork();

	if (pid == 0)
		for (;;)
			pause();
	shared->child = pid;
}

void server_main(struct shared *sh, bool recovers)
{
	sigset_t to_queue;
	pthread_t thread;
	int i, ret;

	shared = sh;
	raw_defaults(&device);
	device.add.id = sh->id;
	device.add.xfer_modes = mode_offer(sh->mode);
	device.add.params.nr_queues = QUEUES;
	device.add.params.timeout_ms = sh->timeout_ms;
	device.add.params.recovery = sh->recovery;
	ret = recovers			  ? open_again() :
	      raw_add(&device)		  ?:
	      mode_pin(&device, sh->mode) ?:
					    raw_open(&device);
	if (ret)
		goto out;

	signal(SIGUSR1, exit_thread);
	signal(SIGUSR2, close_ring);
	signal(SIGTERM, exit_process);
	sigemptyset(&to_queue);
	sigaddset(&to_queue, SIGUSR1);
	sigaddset(&to_queue, SIGUSR2);
	sigprocmask(SIG_BLOCK, &to_queue, NULL);
	pthread_barrier_init(&ready, NULL, QUEUES + 1);
	for (i = 0; i < QUEUES; i++)
		pthread_create(&thread, NULL, queue_main, &queues[i]);
	pthread_barrier_wait(&ready);
	if (sh->forks)
		fork_child();
	ret = atomic_load(&sh->server_ready);
	if (!ret && !sh->no_start)
		ret = raw_ctl(&device, UBDX_IOC_START, 0);
out:
	atomic_store(&sh->server_ready, ret ?: 1);
	for (;;)
		pause();
}
