// SPDX-License-Identifier: MIT OR LGPL-2.1
/*
 * queue.c - a queue's io_uring, and the loop that its thread runs: submit the SQEs of the last
 * round, wait, and handle the completions, with one system call a round. Requests are answered here
 * and nowhere else.
 *
 * The queue's thread creates, uses and destroys the queue: a ring with deferred task work requires
 * that, and so does the driver.
 */
#include <errno.h>
#include <sched.h>
#include <stdlib.h>
#include <string.h>
#include <syslog.h>

#include "queue.h"

/* Older headers lack these. */
#ifndef IORING_ENTER_NO_IOWAIT
#define IORING_ENTER_NO_IOWAIT (1U << 7)
#endif
#ifndef IORING_FEAT_NO_IOWAIT
#define IORING_FEAT_NO_IOWAIT (1U << 17)
#endif

/* ---- ring ---- */

static int ubdx_ring_files(struct ubdx_queue *q)
{
	int files[UBDX_FILE_TARGET + UBDX_TARGET_FILES];
	unsigned int i;
	int ret;

	if (q->target->nr_files > UBDX_TARGET_FILES)
		return ubdx_fail(-EINVAL, "target %s has %u files; there can be %u",
				 q->target->ops->name, q->target->nr_files, UBDX_TARGET_FILES);
	files[UBDX_FILE_CHANNEL] = q->channel;
	for (i = 0; i < q->target->nr_files; i++)
		files[UBDX_FILE_TARGET + i] = q->target->files[i];
	ret = io_uring_register_files(&q->ring, files, UBDX_FILE_TARGET + i);
	return ret ? ubdx_fail(ret, "queue %u: registering its files: %m", q->id) : 0;
}

/* io_uring runs blocking operations in worker threads. Restrict these to @config's CPUs. */
static int ubdx_ring_place_workers(struct ubdx_queue *q, const struct ubdx_queue_config *config)
{
	unsigned int nr = 0;
	cpu_set_t *cpus;
	size_t i, size;
	int ret;

	if (!config->nr_cpus)
		return 0;
	for (i = 0; i < config->nr_cpus; i++)
		if (config->cpus[i] >= nr)
			nr = config->cpus[i] + 1;
	cpus = CPU_ALLOC(nr);
	if (!cpus)
		return ubdx_fail(-ENOMEM, "queue %u: placing its workers: %m", q->id);
	size = CPU_ALLOC_SIZE(nr);
	CPU_ZERO_S(size, cpus);
	for (i = 0; i < config->nr_cpus; i++)
		CPU_SET_S(config->cpus[i], size, cpus);
	ret = io_uring_register_iowq_aff(&q->ring, size, cpus);
	CPU_FREE(cpus);
	return ret ? ubdx_fail(ret, "queue %u: placing its workers: %m", q->id) : 0;
}

/*
 * Deferred task work saves a waiting queue some 600 instructions a round. The SQ has no index array
 * if liburing and the kernel can do without (IORING_SETUP_NO_SQARRAY); otherwise liburing fills the
 * array here, and the entries never change.
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
		return ubdx_fail(ret, "queue %u: setting up its io_uring: %m%s", q->id,
				 ret == -EPERM ? "; see sysctl kernel.io_uring_disabled" : "");
	}

	q->enter_flags = IORING_ENTER_GETEVENTS;
	if (io_uring_register_ring_fd(&q->ring) == 1)
		q->enter_flags |= IORING_ENTER_REGISTERED_RING;
	/* Don't count the time of an idle server as I/O wait. */
	if (params.features & IORING_FEAT_NO_IOWAIT)
		q->enter_flags |= IORING_ENTER_NO_IOWAIT;

	ret = ubdx_ring_files(q);
	if (!ret)
		ret = ubdx_ring_place_workers(q, config);
	return ret;
}

/*
 * The kernel releases a ring, and its registered files, some time after the ring's descriptor is
 * closed. But the channel must be closed when the server has exited, so unregister the files first.
 * Don't do that while commands are still parked (the device was never started, or the ring has
 * failed): kernels up to 6.12 would wait for the commands, and the driver returns them only when
 * the ring is released.
 */
static void ubdx_ring_exit(struct ubdx_queue *q)
{
	if (q->ring.ring_fd < 0)
		return;
	if (!q->live)
		io_uring_unregister_files(&q->ring);
	io_uring_queue_exit(&q->ring);
}

/* Submit the new SQEs, and wait until there are @wait_nr CQEs. */
static int ubdx_queue_enter(struct ubdx_queue *q, unsigned int wait_nr)
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

/*
 * Attach, and fetch each tag. The driver completes a refused command at once: its CQE is there when
 * ubdx_queue_enter() returns.
 */
static int ubdx_queue_fetch(struct ubdx_queue *q)
{
	struct io_uring_cqe *cqe;
	int ret;

	/* Submit ATTACH alone: with a FETCH for each tag it may not fit into the SQ. */
	ubdx_chan_attach(q);
	ret = ubdx_queue_enter(q, 0);
	if (ret)
		return ubdx_fail(ret, "queue %u: attaching: %m", q->id);
	ubdx_chan_fetch_all(q);
	ret = ubdx_queue_enter(q, 0);
	if (ret)
		return ubdx_fail(ret, "queue %u: fetching requests: %m", q->id);
	if (io_uring_peek_cqe(&q->ring, &cqe))
		return 0;
	/* The device is not live, so this can't be a request. */
	ret = cqe->res < 0 ? cqe->res : -EPROTO;
	return ubdx_fail(ret, "queue %u, tag %u: fetching requests: %m", q->id,
			 (unsigned int)(cqe->user_data & UBDX_DATA_TAG));
}

/**
 * ubdx_queue_init() - set up a queue, so that the driver can deliver requests after START.
 *
 * Call it in the queue's thread. Call ubdx_queue_exit() afterwards, also if this fails.
 *
 * Return: 0 or the result of ubdx_fail().
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
		.inspect_bytes = config->target->inspect_bytes,
		.may_forward = config->may_forward,
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
	ubdx_bufs_register(q, config->prefault, config->xfer_modes);
	ret = ubdx_strategies_init(q, config->xfer_modes);
	if (!ret)
		ret = ubdx_chan_open(q);
	if (!ret)
		ret = ubdx_queue_fetch(q);
	return ret;
}

/**
 * ubdx_queue_exit() - release what ubdx_queue_init() acquired, in the same thread.
 */
void ubdx_queue_exit(struct ubdx_queue *q)
{
	ubdx_chan_close(q);
	ubdx_strategies_exit(q);
	ubdx_ring_exit(q);
	ubdx_bufs_exit(q);
	free(q->ios);
}

/* Handle a completion; commit the request that it ends, if it ends one. */
static inline void ubdx_queue_event(struct ubdx_queue *q, const struct io_uring_cqe *cqe)
{
	uint16_t tag = cqe->user_data & UBDX_DATA_TAG;
	int64_t result = UBDX_ASYNC;

	if (cqe->user_data & UBDX_DATA_STEP)
		result = ubdx_io_resume(&q->ios[tag], cqe->res);
	else if (ubdx_chan_event(q, tag, cqe->res))
		result = ubdx_io_begin(&q->ios[tag]);
	if (result != UBDX_ASYNC)
		ubdx_chan_commit(&q->ios[tag], result);
}

static void ubdx_queue_events(struct ubdx_queue *q)
{
	struct io_uring_cq *cq = &q->ring.cq;
	unsigned int head = *cq->khead;
	unsigned int tail = io_uring_smp_load_acquire(cq->ktail);

	q->read_at = 0;
	for (; head != tail; head++)
		ubdx_queue_event(q, &cq->cqes[head & cq->ring_mask]);
	io_uring_smp_store_release(cq->khead, head);
}

/**
 * ubdx_queue_serve() - serve until the device was deleted, has failed or has another server.
 *
 * Return: 0; a negative errno if the ring failed; the driver then declares the server dead.
 */
int ubdx_queue_serve(struct ubdx_queue *q)
{
	int ret;

	while (q->live) {
		ret = ubdx_queue_enter(q, 1);
		/* Repeat after a signal or a temporary lack of memory. */
		if (unlikely(ret && ret != -EINTR && ret != -EAGAIN && ret != -EBUSY)) {
			ubdx_log(q->logger, LOG_ERR, "queue %u: waiting for requests: %s", q->id,
				 strerror(-ret));
			return ret;
		}
		ubdx_queue_events(q);
	}
	return 0;
}
