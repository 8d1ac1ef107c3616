// SPDX-License-Identifier: MIT OR LGPL-2.1
/*
 * queue.c - a queue's io_uring, its buffers, and the loop that its thread runs: hand in what the
 * last round made, wait, and deal with what has come, all with one system call a round.
 *
 * All of it is created, used and destroyed by the queue's thread, as a ring with deferred task work
 * and the driver ask for.
 */
#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <syslog.h>
#include <unistd.h>

#include "queue.h"

/* Newer than some headers. */
#ifndef IORING_ENTER_NO_IOWAIT
#define IORING_ENTER_NO_IOWAIT (1U << 7)
#endif
#ifndef IORING_FEAT_NO_IOWAIT
#define IORING_FEAT_NO_IOWAIT (1U << 17)
#endif
#ifndef MADV_POPULATE_WRITE
#define MADV_POPULATE_WRITE 23
#endif

/* ---- buffers ---- */

static size_t ubdx_bufs_bytes(const struct ubdx_queue *q)
{
	return q->depth * q->stride;
}

/*
 * One area holds the buffers of all tags. Memory is taken when it is first written to, except for
 * the start of each buffer, which is made resident now, by the thread that will use it and so on
 * its node.
 *
 * Buffers are a page further apart than they need be: at a power of two's distance the starts of
 * all buffers, which is all that small requests use, would compete for the same few sets of the
 * caches.
 */
static int ubdx_bufs_init(struct ubdx_queue *q, size_t prefault)
{
	size_t page = sysconf(_SC_PAGESIZE);
	uint16_t tag;
	void *bufs;

	q->stride = ubdx_round_up(q->max_io_bytes, page) + page;
	bufs = mmap(NULL, ubdx_bufs_bytes(q), PROT_READ | PROT_WRITE,
		    MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE, -1, 0);
	if (bufs == MAP_FAILED)
		return ubdx_fail(-errno, "queue %u: %zu MiB for its buffers: %m", q->id,
				 ubdx_bufs_bytes(q) >> 20);
	q->bufs = bufs;
	/* A child must not cause copies of pages that the kernel has pinned. */
	madvise(q->bufs, ubdx_bufs_bytes(q), MADV_DONTFORK);
	/* A huge page would make the starts of all the buffers that it spans resident as a whole. */
	if (prefault < q->max_io_bytes)
		madvise(q->bufs, ubdx_bufs_bytes(q), MADV_NOHUGEPAGE);

	for (tag = 0; tag < q->depth; tag++) {
		q->ios[tag].buf = q->bufs + tag * q->stride;
		if (prefault && madvise(q->ios[tag].buf, prefault, MADV_POPULATE_WRITE))
			return ubdx_fail(-errno, "queue %u: memory for its buffers: %m", q->id);
	}
	return 0;
}

static void ubdx_bufs_exit(struct ubdx_queue *q)
{
	if (q->bufs)
		munmap(q->bufs, ubdx_bufs_bytes(q));
}

/* What is registered of a buffer grows in powers of two from here: so a few times at most. */
#define UBDX_FIXED_BYTES_MIN (64U << 10)

/*
 * Let the ring know the first @bytes of the tag's buffer, so that I/O need not pin its pages each
 * time. It makes them resident, too, and is therefore left until a request needs it. Without it
 * things work, but are dearer.
 */
static bool ubdx_buf_register(struct ubdx_io *io, uint64_t bytes)
{
	struct ubdx_queue *q = io->q;
	uint64_t fixed = UBDX_FIXED_BYTES_MIN;
	struct iovec iov;
	__u64 resource_tag = 0;
	int ret;

	if (!q->may_register || bytes > q->max_io_bytes)
		return false;
	while (fixed < bytes)
		fixed *= 2;
	if (fixed > q->max_io_bytes)
		fixed = q->max_io_bytes;
	iov = (struct iovec){ .iov_base = io->buf, .iov_len = fixed };
	ret = io_uring_register_buffers_update_tag(&q->ring, io->tag, &iov, &resource_tag, 1);
	if (ret != 1) {
		ubdx_log(q->logger, LOG_WARNING,
			 "queue %u: registering a buffer: %s; doing without", q->id,
			 strerror(-ret));
		q->may_register = false;
		return false;
	}
	io->fixed_bytes = fixed;
	return true;
}

/**
 * ubdx_io_is_fixed() - whether (@buf, @length) is registered with the ring, as buffer number
 * io->tag. If it is in the tag's buffer it will be, if that can be done at all.
 */
bool ubdx_io_is_fixed(struct ubdx_io *io, const void *buf, uint32_t length)
{
	uint64_t end = (uintptr_t)buf - (uintptr_t)io->buf + length;

	/* Of memory before the buffer, the end is very far away. */
	return likely(end <= io->fixed_bytes) || ubdx_buf_register(io, end);
}

static void ubdx_bufs_register(struct ubdx_queue *q, size_t prefault)
{
	uint16_t tag;

	/* Only a target with files has I/O done. */
	if (!q->target->nr_files || io_uring_register_buffers_sparse(&q->ring, q->depth))
		return;
	q->may_register = true;
	for (tag = 0; prefault && tag < q->depth; tag++)
		ubdx_buf_register(&q->ios[tag], prefault);
}

/* ---- ring ---- */

static int ubdx_ring_files(struct ubdx_queue *q)
{
	int files[UBDX_FILE_TARGET + UBDX_TARGET_FILES];
	unsigned int i;
	int ret;

	files[UBDX_FILE_CHANNEL] = q->channel;
	for (i = 0; i < q->target->nr_files; i++)
		files[UBDX_FILE_TARGET + i] = q->target->files[i];
	ret = io_uring_register_files(&q->ring, files, UBDX_FILE_TARGET + i);
	return ret ? ubdx_fail(ret, "queue %u: registering its files: %m", q->id) : 0;
}

/* The kernel does blocking operations in threads of its own, which are to stay where ours are. */
static int ubdx_ring_place_workers(struct ubdx_queue *q, const struct ubdx_queue_config *config)
{
	cpu_set_t cpus;
	size_t i;
	int ret;

	if (!config->nr_cpus)
		return 0;
	CPU_ZERO(&cpus);
	for (i = 0; i < config->nr_cpus; i++)
		CPU_SET(config->cpus[i], &cpus);
	ret = io_uring_register_iowq_aff(&q->ring, sizeof(cpus), &cpus);
	return ret ? ubdx_fail(ret, "queue %u: placing its workers: %m", q->id) : 0;
}

/*
 * Deferred task work saves a queue that waits some 600 instructions a round. The SQ keeps its
 * array, useless as it is: the kernel patches its code when rings that have one come and go, unless
 * one stays.
 */
static int ubdx_ring_init(struct ubdx_queue *q, const struct ubdx_queue_config *config)
{
	struct io_uring_params params = {
		.flags = IORING_SETUP_SINGLE_ISSUER | IORING_SETUP_DEFER_TASKRUN |
			 IORING_SETUP_SUBMIT_ALL,
	};
	int ret = io_uring_queue_init_params(q->depth, &q->ring, &params);

	if (ret) {
		q->ring.ring_fd = -1;
		return ubdx_fail(ret, "queue %u: setting up its io_uring: %m", q->id);
	}

	q->enter_flags = IORING_ENTER_GETEVENTS;
	if (io_uring_register_ring_fd(&q->ring) == 1)
		q->enter_flags |= IORING_ENTER_REGISTERED_RING;
	/* A server without work isn't waiting for I/O, and shouldn't be accounted so. */
	if (params.features & IORING_FEAT_NO_IOWAIT)
		q->enter_flags |= IORING_ENTER_NO_IOWAIT;

	ret = ubdx_ring_files(q);
	if (!ret)
		ret = ubdx_ring_place_workers(q, config);
	return ret;
}

/*
 * The ring itself is released some time after its descriptor is closed. Nobody who has seen the
 * server exit may find the channel open because of that, so it is taken out first. Not where commands
 * are out, if the device was never started: kernels to 6.12 would wait for them here. The ring's end has the
 * driver send them back.
 */
static void ubdx_ring_exit(struct ubdx_queue *q)
{
	if (q->ring.ring_fd < 0)
		return;
	if (!q->live)
		io_uring_unregister_files(&q->ring);
	io_uring_queue_exit(&q->ring);
}

/**
 * ubdx_queue_enter() - hand in the SQEs that were made, and wait until @wait_nr CQEs are there.
 *
 * Return: 0 or a negative errno.
 */
int ubdx_queue_enter(struct ubdx_queue *q, unsigned int wait_nr)
{
	struct io_uring_sq *sq = &q->ring.sq;
	unsigned int to_submit = sq->sqe_tail - *sq->khead;
	int ret;

	ubdx_chan_flush(q);
	io_uring_smp_store_release(sq->ktail, sq->sqe_tail);
	ret = io_uring_enter(q->ring.enter_ring_fd, to_submit, wait_nr, q->enter_flags, NULL);
	return ret < 0 ? ret : 0;
}

/* ---- queue ---- */

static int ubdx_strategies_init(struct ubdx_queue *q, uint64_t modes)
{
	unsigned int mode;
	int ret;

	for (mode = 0; mode < UBDX_NR_XFER; mode++) {
		const struct ubdx_strategy *strategy = ubdx_strategies[mode];

		if (!strategy || !strategy->queue_init || !(modes >> mode & 1))
			continue;
		ret = strategy->queue_init(q);
		if (ret)
			return ret;
	}
	return 0;
}

static void ubdx_strategies_exit(struct ubdx_queue *q)
{
	unsigned int mode;

	for (mode = 0; mode < UBDX_NR_XFER; mode++)
		if (ubdx_strategies[mode] && ubdx_strategies[mode]->queue_exit)
			ubdx_strategies[mode]->queue_exit(q);
}

static int ubdx_ios_init(struct ubdx_queue *q)
{
	size_t bytes = q->depth * sizeof(*q->ios);
	uint16_t tag;

	q->ios = aligned_alloc(__alignof__(*q->ios), bytes);
	if (!q->ios)
		return ubdx_fail(-ENOMEM, "queue %u: %m", q->id);
	memset(q->ios, 0, bytes);
	for (tag = 0; tag < q->depth; tag++) {
		q->ios[tag].q = q;
		q->ios[tag].tag = tag;
	}
	return 0;
}

/**
 * ubdx_queue_init() - everything up to where the driver may deliver requests.
 *
 * Call it in the queue's thread, and ubdx_queue_exit() whatever it returns: 0 or the result of
 * ubdx_fail().
 */
int ubdx_queue_init(struct ubdx_queue *q, const struct ubdx_queue_config *config)
{
	int ret;

	*q = (struct ubdx_queue){
		.id = config->id,
		.depth = config->depth,
		.max_io_bytes = config->max_io_bytes,
		.target = config->target,
		.channel = config->channel,
		.touch = config->touch,
		.logger = config->logger,
		.ring.ring_fd = -1,
	};

	ret = ubdx_ios_init(q);
	if (!ret)
		ret = ubdx_bufs_init(q, config->prefault);
	if (!ret)
		ret = ubdx_ring_init(q, config);
	if (ret)
		return ret;
	ubdx_bufs_register(q, config->prefault);
	ret = ubdx_strategies_init(q, config->xfer_modes);
	if (!ret)
		ret = ubdx_touch_init(q);
	if (!ret)
		ret = ubdx_chan_open(q);
	return ret;
}

/**
 * ubdx_queue_exit() - release what ubdx_queue_init() acquired, in the same thread.
 */
void ubdx_queue_exit(struct ubdx_queue *q)
{
	ubdx_chan_close(q);
	ubdx_touch_exit(q);
	ubdx_strategies_exit(q);
	ubdx_ring_exit(q);
	ubdx_bufs_exit(q);
	free(q->ios);
}

static void ubdx_queue_events(struct ubdx_queue *q)
{
	struct io_uring_cq *cq = &q->ring.cq;
	unsigned int head = *cq->khead;
	unsigned int tail = io_uring_smp_load_acquire(cq->ktail);

	q->read_at = 0;
	for (; head != tail; head++) {
		const struct io_uring_cqe *cqe = &cq->cqes[head & cq->ring_mask];
		uint16_t tag = cqe->user_data & UBDX_DATA_TAG;

		if (cqe->user_data & UBDX_DATA_STEP)
			ubdx_io_resume(&q->ios[tag], cqe->res);
		else
			ubdx_chan_event(q, tag, cqe->res);
	}
	io_uring_smp_store_release(cq->khead, head);
}

/**
 * ubdx_queue_serve() - serve until the device is gone.
 *
 * Return: 0; a negative errno if the ring doesn't work, after which the driver takes the server for
 * dead.
 */
int ubdx_queue_serve(struct ubdx_queue *q)
{
	int ret;

	while (q->live) {
		ret = ubdx_queue_enter(q, 1);
		/* A stopped and continued process, or a moment without memory. */
		if (unlikely(ret && ret != -EINTR && ret != -EAGAIN && ret != -EBUSY)) {
			ubdx_log(q->logger, LOG_ERR, "queue %u: waiting for requests: %s", q->id,
				 strerror(-ret));
			return ret;
		}
		ubdx_queue_events(q);
	}
	return 0;
}
