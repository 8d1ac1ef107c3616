// SPDX-License-Identifier: GPL-2.0
/*
 * batches.c - requests that are committed in one submission end together, and requests that come
 * together are delivered together. But no request waits for another one: not while its server
 * sleeps between two commits, not for a further commit that the server has announced and doesn't
 * send, not until the payloads of all others are copied, and not for a submitter that is preempted.
 * The number of requests that end at once is limited, so that bottom halves are not off for long.
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
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>

#include <linux/userfaultfd.h>

#include "raw.h"
#include "tap.h"

#define FIRST (1 << 20) /* away from the partition scan */
#define LAST (32 << 20)
#define MANY 100 /* more than a batch holds */
#define TRACING "/sys/kernel/tracing/"

/* ---- clients: threads of one request each ---- */

static int bdev;

struct client {
	pthread_t thread;
	bool write;
	int cpu; /* -1: any */
	off_t at;
	size_t bytes;
	atomic_int tid;
	atomic_int done;
	int ret;
};

static void pin(int cpu)
{
	cpu_set_t set;

	CPU_ZERO(&set);
	CPU_SET(cpu, &set);
	if (cpu >= 0 && sched_setaffinity(0, sizeof(set), &set))
		bail("CPU %d: %m", cpu);
}

static void *client_main(void *arg)
{
	struct client *c = arg;
	char *mem = raw_mem(c->bytes);

	pin(c->cpu);
	atomic_store(&c->tid, gettid());
	while (atomic_load(&c->tid) > 0)
		sched_yield(); /* waits for client_go() */
	c->ret = c->write ? pwrite(bdev, mem, c->bytes, c->at) : pread(bdev, mem, c->bytes, c->at);
	atomic_store(&c->done, 1);
	munmap(mem, c->bytes);
	return NULL;
}

static void client_start(struct client *c, bool write, off_t at, size_t bytes, int cpu)
{
	*c = (struct client){ .write = write, .at = at, .bytes = bytes, .cpu = cpu };
	pthread_create(&c->thread, NULL, client_main, c);
	while (!atomic_load(&c->tid))
		sched_yield();
}

static void client_go(struct client *c)
{
	atomic_store(&c->tid, -1);
}

static bool client_ends(struct client *c)
{
	return within(10, c->done);
}

static int client_join(struct client *c)
{
	pthread_join(c->thread, NULL);
	return c->ret;
}

/* ---- the server ---- */

static atomic_int held; /* the number of requests held, which are between FIRST and LAST */
static struct ubdx_desc kept[MANY];

/* Called for the request at LAST: adds SQEs to the submission that commits this request. */
static void (*at_last)(struct raw_queue *q);

static int32_t answer(struct raw_queue *q, const struct ubdx_desc *desc, char *buf)
{
	int nr = atomic_load(&held);

	if (desc->sector >= FIRST / 512 && desc->sector < LAST / 512 && nr < MANY) {
		kept[nr] = *desc;
		atomic_store(&held, nr + 1);
		return RAW_HOLD;
	}
	if (desc->sector == LAST / 512 && at_last)
		at_last(q);
	return desc->op == UBDX_OP_FLUSH ? 0 : (int32_t)desc->nr_sectors * 512;
}

static void commit_kept(struct raw_queue *q)
{
	int i;

	for (i = 0; i < atomic_load(&held); i++)
		raw_commit_later(q, kept[i].tag, kept[i].seq, (int32_t)kept[i].nr_sectors * 512,
				 UBDX_COMMIT_MORE);
}

static void start(struct raw_server *s, unsigned int mode)
{
	raw_defaults(&s->raw);
	s->raw.add.params.depth = 128;
	s->raw.add.xfer_modes = (1 << RAW_NR_XFER) - 1;
	atomic_store(&held, 0);
	at_last = NULL;
	raw_server_start(s, answer);
	bdev = raw_bdev(&s->raw, O_RDWR);
	if (ioctl(s->raw.ctl, UBDX_IOC_SET,
		  &(struct ubdx_set){ .id = s->raw.add.id, .xfer = mode }))
		bail("mode %u: %m", mode);
}

static void stop(struct raw_server *s)
{
	close(bdev);
	raw_server_stop(s);
}

/* ---- no waiting between two commits ---- */

static char *missing; /* a page whose fault waits until the test unregisters it (userfaultfd) */

static void sleep_between(struct raw_queue *q)
{
	static struct iovec iov = { .iov_len = 4096 };
	struct io_uring_sqe *sqe;

	commit_kept(q);
	iov.iov_base = missing;
	sqe = io_uring_get_sqe(&q->ring);
	io_uring_prep_readv(sqe, open("/dev/zero", O_RDONLY | O_CLOEXEC), &iov, 1, 0);
	sqe->flags |= IOSQE_CQE_SKIP_SUCCESS;
}

static void server_sleeps(void)
{
	struct uffdio_range range = { .len = 4096 };
	struct client first, last;
	struct raw_server s;
	int fd;

	start(&s, UBDX_XFER_USER);
	missing = raw_mem(4096);
	range.start = (uintptr_t)missing;
	fd = raw_userfault(missing, 4096);
	if (fd < 0)
		bail("userfaultfd: %m");
	at_last = sleep_between;
	client_start(&first, false, FIRST, 4096, -1);
	client_start(&last, false, LAST, 4096, -1);
	client_go(&first);
	if (!within(10, held))
		bail("no request");
	client_go(&last);
	ok(client_ends(&first), "commit, an SQE that sleeps, commit: the first request ends");
	ok(!atomic_load(&last.done), "   while the server sleeps before the second");
	if (ioctl(fd, UFFDIO_UNREGISTER, &range))
		bail("unregister: %m");
	is(client_join(&last), 4096, "   and the second when it has woken up");
	is(client_join(&first), 4096, "   both well");
	close(fd);
	munmap(missing, 4096);
	stop(&s);
}

static void promise_not_kept(void)
{
	struct client c;
	struct raw_server s;

	start(&s, UBDX_XFER_USER);
	s.queue.commit_flags = UBDX_COMMIT_MORE;
	client_start(&c, false, LAST, 4096, -1);
	client_go(&c);
	ok(client_ends(&c), "a commit promises another, and none follows: its request ends");
	is(client_join(&c), 4096, "   without an error");
	stop(&s);
}

/* ---- how much ends at once ---- */

static void tracing(const char *file, const char *what)
{
	char path[128];
	int fd;

	snprintf(path, sizeof(path), TRACING "%s", file);
	fd = open(path, O_WRONLY | O_TRUNC | O_CLOEXEC);
	if (fd < 0 || write(fd, what, strlen(what)) < 0)
		bail("%s: %m", path);
	close(fd);
}

/*
 * Returns the largest number of requests that one blk_mq_end_request_batch() has ended. @sum: out:
 * the number of requests that ended in batches.
 */
static int longest(int *sum)
{
	FILE *f = fopen(TRACING "trace", "r");
	int most = 0, now = 0;
	bool batch = false;
	char line[512];

	if (!f)
		bail("trace: %m");
	*sum = 0;
	while (fgets(line, sizeof(line), f)) {
		if (strstr(line, "blk_mq_end_request")) {
			batch = strstr(line, "blk_mq_end_request_batch");
			now = 0;
		} else if (batch && strstr(line, "block_rq_complete:")) {
			++*sum;
			if (++now > most)
				most = now;
		}
	}
	fclose(f);
	return most;
}

static void many_at_once(void)
{
	static struct client c[MANY];
	struct client last;
	struct raw_server s;
	int i, most, sum, good = 0;

	if (access(TRACING "set_ftrace_filter", W_OK)) {
		ok(true, "requests end together # SKIP this kernel can't trace its functions");
		return;
	}
	start(&s, UBDX_XFER_USER);
	at_last = commit_kept;
	for (i = 0; i < MANY; i++) {
		client_start(&c[i], false, FIRST + i * 65536, 4096, -1);
		client_go(&c[i]);
	}
	client_start(&last, false, LAST, 4096, -1);
	if (!within(30, held >= MANY))
		bail("%d requests", atomic_load(&held));
	tracing("current_tracer", "nop");
	tracing("set_ftrace_filter", "blk_mq_end_request*");
	tracing("current_tracer", "function");
	tracing("events/block/block_rq_complete/enable", "1");
	client_go(&last);
	for (i = 0; i < MANY; i++)
		good += client_join(&c[i]) == 4096;
	is(client_join(&last), 4096, "requests that are committed in one submission end");
	is(good, MANY, "   all of them");
	tracing("events/block/block_rq_complete/enable", "0");
	most = longest(&sum);
	tracing("current_tracer", "nop");
	ok(sum > MANY / 2 && most > 1, "   together (%d of them)", sum);
	ok(most <= 32, "   not more than 32 in one stretch without bottom halves (%d)", most);
	stop(&s);
}

/* ---- how much is delivered at once ---- */

/*
 * The tags' buffers are not present, and a thread that touches one waits for us (userfaultfd). So
 * a delivery in mode copy, which copies a WRITE to its tag's buffer, stops at each WRITE. Then we
 * count the completions in the server's ring.
 */

#define WRITES 8
#define DELIVER_BYTES 65536U /* a delivery ends after it has copied this much payload */

/* Wait for the end of the partition scan, which has requests of its own. */
static void scanned(const struct raw *raw)
{
	if (!within(10, !raw_scanning(raw)))
		bail("the partition scan doesn't end");
}

static char *writes_prepare(struct io_uring *ring, unsigned int bytes)
{
	char *mem = raw_mem(WRITES * (size_t)bytes);

	if (io_uring_queue_init(WRITES, ring, 0))
		bail("ring");
	memset(mem, 'x', WRITES * (size_t)bytes); /* so that no page fault ends the plug */
	return mem;
}

/* Submit all WRITEs in one plug. They aren't adjacent, so they don't merge. */
static void submit_writes(struct io_uring *ring, const char *mem, unsigned int bytes)
{
	int i;

	for (i = 0; i < WRITES; i++)
		io_uring_prep_write(io_uring_get_sqe(ring), bdev, mem + i * bytes, bytes,
				    FIRST + i * 2 * bytes);
	if (io_uring_submit(ring) != WRITES)
		bail("submit");
}

/* Returns how many succeed. */
static int end_writes(struct io_uring *ring, unsigned int bytes)
{
	struct io_uring_cqe *cqe;
	int i, good = 0;

	for (i = 0; i < WRITES; i++) {
		if (io_uring_wait_cqe(ring, &cqe))
			bail("wait");
		good += cqe->res == (int)bytes;
		io_uring_cqe_seen(ring, cqe);
	}
	return good;
}

/* Wait for the next page fault. Returns the address of its page. */
static uint64_t next_fault(int fd)
{
	struct pollfd pfd = { .fd = fd, .events = POLLIN };
	struct uffd_msg msg;

	if (poll(&pfd, 1, 20000 * raw_slow()) != 1 || read(fd, &msg, sizeof(msg)) != sizeof(msg) ||
	    msg.event != UFFD_EVENT_PAGEFAULT)
		bail("a WRITE isn't copied");
	return msg.arg.pagefault.address & -4096ULL;
}

static void provide(int fd, uint64_t addr, unsigned int bytes)
{
	struct uffdio_zeropage zero = { .range = { .start = addr, .len = bytes } };

	if (ioctl(fd, UFFDIO_ZEROPAGE, &zero))
		bail("zeropage: %m");
}

/* The number of completions that the server's ring has received. */
static unsigned int completions(const struct raw_queue *q)
{
	return __atomic_load_n(q->ring.cq.ktail, __ATOMIC_ACQUIRE);
}

/*
 * WRITEs of @bytes each are submitted at once. The server must see the first of them when @together
 * of them have been copied: not later, because none may wait for the others, and not earlier,
 * because WRITEs are delivered in batches.
 */
static void payload_of_others(unsigned int bytes, int together)
{
	struct io_uring ring;
	struct raw_server s;
	unsigned int before;
	int i, fd, most = 0;
	char *mem;

	raw_defaults(&s.raw);
	atomic_store(&held, MANY); /* so that answer() holds nothing */
	raw_server_start(&s, answer);
	scanned(&s.raw);
	bdev = raw_bdev(&s.raw, O_RDWR);
	mem = writes_prepare(&ring, bytes);
	fd = raw_userfault(s.queue.buf, s.queue.depth * (size_t)RAW_BUF_BYTES);
	if (fd < 0)
		bail("userfaultfd: %m");
	before = completions(&s.queue);
	submit_writes(&ring, mem, bytes);
	for (i = 0; i < WRITES; i++) {
		uint64_t addr = next_fault(fd);
		int unseen = i - (int)(completions(&s.queue) - before);

		if (unseen > most)
			most = unseen;
		provide(fd, addr, bytes);
	}
	is(end_writes(&ring, bytes), WRITES, "WRITEs of mode copy, submitted at once, end");
	is(most + 1, together,
	   "   the expected number is copied when the server sees the first of them");
	io_uring_queue_exit(&ring);
	munmap(mem, WRITES * (size_t)bytes);
	stop(&s);
	close(fd);
}

/*
 * A server in a process of its own. Its buffers are a file. Its ring has no flags: without
 * IORING_SETUP_DEFER_TASKRUN a task runs all of its task work before it handles a signal.
 */
#define FILE_BYTES (16 * (size_t)RAW_BUF_BYTES)

struct victim {
	int file;
	char *buf; /* where the victim has mapped the file */
	int uffd; /* the victim's userfaultfd */
	char path[32];
	atomic_int ready;
};

static void __attribute__((noreturn)) victim_main(struct victim *v)
{
	struct raw_server s;

	raw_defaults(&s.raw);
	s.raw.ring_flags = 0;
	raw_server_start(&s, answer);
	scanned(&s.raw);
	v->buf = mmap(s.queue.buf, FILE_BYTES, PROT_READ | PROT_WRITE, MAP_SHARED | MAP_FIXED,
		      v->file, 0);
	v->uffd = raw_userfault(v->buf, FILE_BYTES);
	if (v->buf == MAP_FAILED || v->uffd < 0)
		bail("buffers: %m");
	strcpy(v->path, s.raw.path);
	atomic_store(&v->ready, 1);
	for (;;)
		pause();
}

/* Returns a descriptor of the victim's userfaultfd. */
static int victim_start(struct victim *v, pid_t *pid)
{
	int pidfd;

	v->file = memfd_create("buffers", MFD_CLOEXEC);
	if (v->file < 0 || ftruncate(v->file, FILE_BYTES))
		bail("memfd: %m");
	fflush(stdout);
	*pid = fork();
	if (!*pid)
		victim_main(v);
	if (!within(20, atomic_load(&v->ready)))
		bail("no server");
	pidfd = syscall(SYS_pidfd_open, *pid, 0);
	return syscall(SYS_pidfd_getfd, pidfd, v->uffd, 0);
}

static void killed_in_a_delivery(void)
{
	struct victim *v =
		mmap(NULL, sizeof(*v), PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS, -1, 0);
	struct io_uring ring;
	size_t first, i;
	char *mem, *file;
	pid_t pid;
	int fd;

	atomic_store(&held, MANY);
	fd = victim_start(v, &pid);
	bdev = open(v->path, O_RDWR | O_DIRECT | O_CLOEXEC);
	if (fd < 0 || bdev < 0)
		bail("victim: %m");
	mem = writes_prepare(&ring, DELIVER_BYTES);
	submit_writes(&ring, mem, DELIVER_BYTES);
	first = (next_fault(fd) - (uintptr_t)v->buf) / RAW_BUF_BYTES;
	for (i = 0; i < FILE_BYTES / RAW_BUF_BYTES; i++)
		if (i != first)
			provide(fd, (uintptr_t)v->buf + i * RAW_BUF_BYTES, RAW_BUF_BYTES);
	kill(pid, SIGKILL);
	is(waitpid(pid, NULL, 0), pid, "a server that is killed while a WRITE is delivered ends");
	is(end_writes(&ring, DELIVER_BYTES), 0, "   the WRITEs fail");
	file = mmap(NULL, FILE_BYTES, PROT_READ, MAP_SHARED, v->file, 0);
	if (file == MAP_FAILED)
		bail("buffers: %m");
	for (i = 0; i < FILE_BYTES && !file[i]; i++)
		;
	ok(i == FILE_BYTES, "   none of the others was delivered after that");
	io_uring_queue_exit(&ring);
	munmap(file, FILE_BYTES);
	munmap(mem, WRITES * (size_t)DELIVER_BYTES);
	munmap(v, sizeof(*v));
	close(bdev);
	close(fd);
}

/* ---- no waiting for a submitter ---- */

#define STALL "/sys/module/ubdx_stall/parameters/"

static int stall(const char *name, int value)
{
	char path[128], text[16];
	FILE *f;

	snprintf(path, sizeof(path), STALL "%s", name);
	f = fopen(path, value < 0 ? "r" : "w");
	if (!f)
		bail("%s: %m", path);
	if (value >= 0)
		fprintf(f, "%d\n", value);
	else if (!fgets(text, sizeof(text), f))
		bail("%s: %m", path);
	else
		value = atoi(text);
	fclose(f);
	return value;
}

static void submitter_stands_still(void)
{
	struct client still, other;
	struct raw_server s;
	double limit;

	if (sysconf(_SC_NPROCESSORS_ONLN) < 2) {
		ok(true, "# SKIP a submitter that stands still needs a CPU to do it on");
		return;
	}
	pin(0); /* threads that are started from now on inherit this */
	start(&s, UBDX_XFER_USER);
	client_start(&still, false, LAST, 4096, 1);
	client_start(&other, false, LAST + 65536, 4096, 0);
	stall("task", atomic_load(&still.tid));
	client_go(&still);
	for (limit = raw_now() + 10; !stall("stalled", -1) && raw_now() < limit;)
		poll(NULL, 0, 1);
	ok(stall("stalled", -1), "a submitter stands still as it notifies the server");
	client_go(&other);
	ok(within(5, other.done), "   another one's request ends");
	ok(!atomic_load(&still.done), "   while the first one's is still waiting");
	stall("task", 0);
	is(client_join(&other), 4096, "   without an error");
	is(client_join(&still), 4096, "   and the first one's ends afterwards");
	stop(&s);
}

int main(void)
{
	server_sleeps();
	promise_not_kept();
	many_at_once();
	payload_of_others(DELIVER_BYTES, 1);
	payload_of_others(DELIVER_BYTES / 4, 4);
	killed_in_a_delivery();
	submitter_stands_still();
	return done();
}
