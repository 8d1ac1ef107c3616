// SPDX-License-Identifier: GPL-2.0
/*
 * raw.c - a server on the bare UAPI, see raw.h.
 */
#define _GNU_SOURCE
#include <errno.h>
#include <fcntl.h>
#include <linux/userfaultfd.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/mman.h>
#include <sys/syscall.h>
#include <time.h>
#include <unistd.h>

#include "raw.h"
#include "tap.h"

double raw_slow(void)
{
	static double slow;

	if (!slow)
		slow = getenv("SLOW") ? atof(getenv("SLOW")) : 1;
	return slow;
}

double raw_now(void)
{
	struct timespec ts;

	clock_gettime(CLOCK_MONOTONIC, &ts);
	return (ts.tv_sec + ts.tv_nsec / 1e9) / raw_slow();
}

void raw_defaults(struct raw *raw)
{
	memset(raw, 0, sizeof(*raw));
	raw->ctl = raw->chan = -1;
	raw->ring_flags = IORING_SETUP_SINGLE_ISSUER | IORING_SETUP_DEFER_TASKRUN;
	raw->add = (struct ubdx_add) {
		.version	= UBDX_VERSION,
		.id		= -1,
		.xfer_modes	= 1 << UBDX_XFER_COPY,
		.params = {
			.dev_sectors	= (64 << 20) / 512,
			.nr_queues	= 1,
			.depth		= 16,
			.max_io_bytes	= RAW_BUF_BYTES,
			.numa_node	= -1,
		},
	};
}

int raw_add(struct raw *raw)
{
	if (raw->ctl < 0)
		raw->ctl = open("/dev/" UBDX_CONTROL_NAME, O_RDWR | O_CLOEXEC);
	if (raw->ctl < 0)
		return -errno;
	if (ioctl(raw->ctl, UBDX_IOC_ADD, &raw->add) < 0)
		return -errno;
	snprintf(raw->path, sizeof(raw->path), "/dev/ubdxb%d", raw->add.id);
	return 0;
}

static int raw_try_open(const char *path, int flags)
{
	int fd;

	/*
	 * devtmpfs makes the node a moment after the ioctl; the end of a ring may interrupt open()
	 */
	within(5, (fd = open(path, flags)) >= 0 ||
			  (errno != ENOENT && errno != ENXIO && errno != EINTR));
	return fd < 0 ? -errno : fd;
}

int raw_open(struct raw *raw)
{
	char path[32];
	int fd;

	snprintf(path, sizeof(path), "/dev/ubdxc%d", raw->add.id);
	fd = raw_try_open(path, O_RDWR | O_CLOEXEC);
	if (fd < 0)
		return fd;
	raw->chan = fd;
	return 0;
}

uint64_t raw_modes(void)
{
	struct ubdx_features features = {};
	int fd = open("/dev/" UBDX_CONTROL_NAME, O_RDWR | O_CLOEXEC);

	if (fd < 0 || ioctl(fd, UBDX_IOC_FEATURES, &features))
		bail("/dev/" UBDX_CONTROL_NAME ": %s", strerror(errno));
	close(fd);
	return features.xfer_modes;
}

int raw_ctl(const struct raw *raw, unsigned long cmd, unsigned int flags)
{
	struct ubdx_ctl ctl = { .id = raw->add.id, .flags = flags };

	return ioctl(raw->ctl, cmd, &ctl) < 0 ? -errno : 0;
}

int raw_own(const struct raw *raw, unsigned long cmd, unsigned int flags)
{
	struct ubdx_ctl ctl = { .id = raw->add.id, .flags = flags };

	return ioctl(raw->chan, cmd, &ctl) < 0 ? -errno : 0;
}

int raw_info(const struct raw *raw, struct ubdx_info *info)
{
	*info = (struct ubdx_info){ .id = raw->add.id };
	return ioctl(raw->ctl, UBDX_IOC_INFO, info) < 0 ? -errno : 0;
}

int raw_queue_init(struct raw *raw, struct raw_queue *q, unsigned int qid)
{
	size_t page = sysconf(_SC_PAGESIZE);
	int ret;

	*q = (struct raw_queue){ .raw = raw, .qid = qid, .depth = raw->add.params.depth };
	q->desc_bytes = (q->depth * sizeof(struct ubdx_desc) + page - 1) & ~(page - 1);
	q->desc = mmap(NULL, q->desc_bytes, PROT_READ, MAP_SHARED, raw->chan,
		       qid * UBDX_MMAP_QUEUE_STRIDE);
	if (q->desc == MAP_FAILED)
		return -errno;
	q->buf = mmap(NULL, (size_t)q->depth * RAW_BUF_BYTES, PROT_READ | PROT_WRITE,
		      MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
	if (q->buf == MAP_FAILED)
		return -errno;
	ret = io_uring_queue_init(q->depth * 2, &q->ring, raw->ring_flags);
	if (!ret)
		ret = io_uring_register_buffers_sparse(&q->ring, q->depth); /* for mode regbuf */
	return ret;
}

void raw_queue_exit(struct raw_queue *q)
{
	io_uring_queue_exit(&q->ring);
	munmap((void *)q->desc, q->desc_bytes);
	munmap(q->buf, (size_t)q->depth * RAW_BUF_BYTES);
}

static struct io_uring_sqe *raw_sqe(struct raw_queue *q, unsigned int op, unsigned int tag)
{
	struct io_uring_sqe *sqe = io_uring_get_sqe(&q->ring);

	if (!sqe)
		bail("submission ring full");
	memset(sqe, 0, sizeof(*sqe));
	sqe->opcode = IORING_OP_URING_CMD;
	sqe->fd = q->raw->chan;
	sqe->cmd_op = op;
	sqe->user_data = tag;
	return sqe;
}

/*
 * Consume a completion. Returns its tag, or its error. @now: out: q->nr_now of the raw_*() call
 * that waits for the completion, or 0.
 */
static int raw_take(struct raw_queue *q, struct io_uring_cqe *cqe, unsigned int *now, int *res)
{
	int tag = cqe->user_data & 0xffff;

	*now = cqe->user_data >> 32;
	*res = cqe->res;
	io_uring_cqe_seen(&q->ring, cqe);
	return *res < 0 ? *res : tag;
}

/*
 * Submit the command that is marked with q->nr_now, and wait a moment for its result. If none
 * comes, the command is parked. Other completions are kept for raw_next().
 */
static int raw_submit_now(struct raw_queue *q)
{
	double end = raw_now() + 0.2;
	int ret = io_uring_submit(&q->ring);

	if (ret < 0)
		return ret;
	while (raw_now() < end) {
		struct __kernel_timespec soon = { .tv_nsec = 20 * 1000 * 1000 };
		struct io_uring_cqe *cqe;
		unsigned int now;
		int tag, res;

		if (io_uring_wait_cqe_timeout(&q->ring, &cqe, &soon))
			continue;
		tag = raw_take(q, cqe, &now, &res);
		if (now == q->nr_now)
			return res;
		q->backlog[q->nr_backlog++] = tag;
	}
	return -EINPROGRESS;
}

int raw_attach(struct raw_queue *q, unsigned int qid, unsigned int reserved)
{
	struct io_uring_sqe *sqe = raw_sqe(q, UBDX_CMD_ATTACH, 0xffff);
	struct ubdx_attach *attach = (void *)sqe->cmd;

	*attach = (struct ubdx_attach){ .qid = qid, .reserved = reserved };
	sqe->user_data |= (uint64_t)++q->nr_now << 32;
	return raw_submit_now(q);
}

int raw_fetch(struct raw_queue *q, unsigned int qid, unsigned int tag, void *addr,
	      unsigned int reserved, unsigned int sqe_flags)
{
	struct io_uring_sqe *sqe = raw_sqe(q, UBDX_CMD_FETCH, tag);
	struct ubdx_fetch *fetch = (void *)sqe->cmd;

	*fetch = (struct ubdx_fetch){
		.qid = qid, .tag = tag, .reserved = reserved, .addr = (uintptr_t)addr
	};
	sqe->flags = sqe_flags;
	sqe->user_data |= (uint64_t)++q->nr_now << 32;
	return raw_submit_now(q);
}

int raw_commit(struct raw_queue *q, unsigned int qid, unsigned int tag, uint32_t seq, int32_t res,
	       unsigned int flags)
{
	return raw_forward(q, qid, tag, seq, res, flags, 0);
}

int raw_forward(struct raw_queue *q, unsigned int qid, unsigned int tag, uint32_t seq, int32_t res,
		unsigned int flags, uint64_t addr)
{
	struct io_uring_sqe *sqe = raw_sqe(q, UBDX_CMD_COMMIT_AND_FETCH, tag);
	struct ubdx_commit *commit = (void *)sqe->cmd;

	*commit = (struct ubdx_commit){ .seq = seq, .qid = qid, .tag = tag, .res = res };
	sqe->len = flags;
	sqe->addr = addr;
	sqe->user_data |= (uint64_t)++q->nr_now << 32;
	return raw_submit_now(q);
}

void raw_commit_later(struct raw_queue *q, unsigned int tag, uint32_t seq, int32_t res,
		      unsigned int flags)
{
	struct io_uring_sqe *sqe = raw_sqe(q, UBDX_CMD_COMMIT_AND_FETCH, tag);
	struct ubdx_commit *commit = (void *)sqe->cmd;

	*commit = (struct ubdx_commit){ .seq = seq, .qid = q->qid, .tag = tag, .res = res };
	sqe->len = flags;
}

int raw_fetch_all(struct raw_queue *q)
{
	struct io_uring_sqe *sqe = raw_sqe(q, UBDX_CMD_ATTACH, 0xffff);
	unsigned int tag;
	int ret;

	((struct ubdx_attach *)sqe->cmd)->qid = q->qid;
	for (tag = 0; tag < q->depth; tag++) {
		struct io_uring_sqe *sqe = raw_sqe(q, UBDX_CMD_FETCH, tag);
		struct ubdx_fetch *fetch = (void *)sqe->cmd;

		*fetch = (struct ubdx_fetch){
			.qid = q->qid,
			.tag = tag,
			.addr = (uintptr_t)(q->buf + (size_t)tag * RAW_BUF_BYTES),
		};
	}
	ret = io_uring_submit(&q->ring);
	return ret < 0 ? ret : 0;
}

int raw_next(struct raw_queue *q)
{
	struct io_uring_cqe *cqe;
	unsigned int now;
	int ret, res;

	if (q->nr_backlog)
		return q->backlog[--q->nr_backlog];
	do {
		ret = io_uring_submit_and_wait(&q->ring, 1);
	} while (ret == -EINTR || ret == -EAGAIN);
	if (ret >= 0)
		ret = io_uring_peek_cqe(&q->ring, &cqe);
	return ret ? ret : raw_take(q, cqe, &now, &res);
}

long raw_serve(struct raw_queue *q, raw_answer answer)
{
	long served = 0;
	int tag;

	while ((tag = raw_next(q)) >= 0) {
		const struct ubdx_desc *desc = &q->desc[tag];
		int32_t res = answer(q, desc, q->buf + (size_t)tag * RAW_BUF_BYTES);
		struct ubdx_commit *commit;
		struct io_uring_sqe *sqe;

		if (res == RAW_HOLD)
			continue;
		sqe = raw_sqe(q, UBDX_CMD_COMMIT_AND_FETCH, tag);
		sqe->len = q->commit_flags;
		commit = (void *)sqe->cmd;
		*commit = (struct ubdx_commit){
			.seq = desc->seq, .qid = q->qid, .tag = tag, .res = res
		};
		served++;
	}
	return served;
}

static void *raw_server_thread(void *arg)
{
	struct raw_server *s = arg;

	s->ready = raw_queue_init(&s->raw, &s->queue, 0) ?: raw_fetch_all(&s->queue);
	pthread_barrier_wait(&s->barrier);
	if (!s->ready)
		raw_serve(&s->queue, s->answer);
	raw_queue_exit(&s->queue);
	return NULL;
}

void raw_server_begin(struct raw_server *s, raw_answer answer)
{
	int ret;

	s->answer = answer;
	ret = raw_add(&s->raw);
	if (ret)
		bail("add: %s", strerror(-ret));
	ret = raw_open(&s->raw);
	if (ret)
		bail("open channel: %s", strerror(-ret));
	pthread_barrier_init(&s->barrier, NULL, 2);
	if (pthread_create(&s->thread, NULL, raw_server_thread, s))
		bail("thread");
	pthread_barrier_wait(&s->barrier);
	if (s->ready)
		bail("queue: %s", strerror(-s->ready));
}

bool raw_scanning(const struct raw *raw)
{
	struct ubdx_info info;
	int ret = raw_info(raw, &info);

	if (ret)
		bail("info: %s", strerror(-ret));
	return info.status & UBDX_INFO_SCANNING;
}

void raw_server_start(struct raw_server *s, raw_answer answer)
{
	int ret;

	raw_server_begin(s, answer);
	/* with SQPOLL the tags are fetched a moment later */
	within(5, (ret = raw_ctl(&s->raw, UBDX_IOC_START, 0)) != -EAGAIN);
	if (ret)
		bail("start: %s", strerror(-ret));
}

void raw_server_stop(struct raw_server *s)
{
	int ret = raw_ctl(&s->raw, UBDX_IOC_DEL, UBDX_CTL_FORCE);

	if (ret)
		bail("del: %s", strerror(-ret));
	pthread_join(s->thread, NULL);
	close(s->raw.chan);
	close(s->raw.ctl);
}

int raw_bdev(const struct raw *raw, int flags)
{
	int fd = raw_try_open(raw->path, flags | O_DIRECT | O_CLOEXEC);

	if (fd < 0)
		bail("open %s: %s", raw->path, strerror(-fd));
	return fd;
}

void *raw_mem(size_t bytes)
{
	void *p = mmap(NULL, bytes, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);

	if (p == MAP_FAILED)
		bail("out of memory");
	return p;
}

int raw_userfault(void *mem, size_t bytes)
{
	struct uffdio_api api = { .api = UFFD_API };
	struct uffdio_register reg = {
		.range = { .start = (uintptr_t)mem, .len = bytes },
		.mode = UFFDIO_REGISTER_MODE_MISSING,
	};
	int fd = syscall(SYS_userfaultfd, O_CLOEXEC);

	if (fd < 0 || ioctl(fd, UFFDIO_API, &api) || ioctl(fd, UFFDIO_REGISTER, &reg) ||
	    madvise(mem, bytes, MADV_DONTNEED))
		return -1;
	return fd;
}

bool raw_never_provide(void *mem, size_t bytes)
{
	return raw_userfault(mem, bytes) < 0;
}

bool raw_gone(const struct raw *raw, unsigned int seconds)
{
	return within(seconds, access(raw->path, F_OK));
}
