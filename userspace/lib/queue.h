/* SPDX-License-Identifier: MIT OR LGPL-2.1 */
/*
 * queue.h - one queue of a device: its thread's io_uring, its tags, and what a channel and the
 * strategies may use of them.
 *
 * A queue is owned by its thread from ubdx_queue_init() to ubdx_queue_exit(); nobody else touches
 * it. A tag has one SQE under way at most, from when it is made until its CQE is dealt with: a
 * command while the request is at the driver, a step's I/O while it is here. So neither ring can
 * overflow, and nobody needs to look.
 */
#ifndef UBDX_QUEUE_H
#define UBDX_QUEUE_H

#include <liburing.h>
#include <stdbool.h>
#include <stdint.h>

#include "lib.h"
#include "strategy.h"

/* cqe->user_data: the tag, and whether it is a step's I/O or the channel's command. */
#define UBDX_DATA_TAG 0xffffU
#define UBDX_DATA_STEP 0x10000U

/* Index of the channel among the ring's registered files; the target's follow. */
#define UBDX_FILE_CHANNEL 0
#define UBDX_FILE_TARGET 1

/**
 * struct ubdx_io - a tag, and the request that it carries while that is at the server.
 * @q:		its queue.
 * @desc:	the driver's descriptor, read-only.
 * @buf:	the tag's buffer.
 * @done:	bytes of the request that have been dealt with.
 * @step:	what is being done now.
 * @fixed_bytes: how much of @buf, from its start, is registered with the ring.
 * @zero_way:	how UBDX_STEP_ZERO is being done, see step.c.
 * @way:	the strategy's own, from move() to resume().
 * @held:	bytes of a WRITE's payload that are in @buf, from its start, in modes in which the driver
 *		doesn't put them there.
 * @touch:	bytes of the payload, from its start, that are to be looked at.
 * @sum:	checksum of what of them has been.
 * @read_ns:	with UBDX_DESC_STAMP, for the commit.
 * @tag:	its number.
 */
struct ubdx_io {
	struct ubdx_queue *q;
	const struct ubdx_desc *desc;
	char *buf;
	uint64_t done;
	struct ubdx_step step;
	uint32_t read_ns;
	uint32_t fixed_bytes;
	uint32_t held;
	uint32_t touch;
	uint64_t sum;
	uint16_t tag;
	uint8_t zero_way;
	uint8_t way;
} __attribute__((aligned(128)));

/**
 * struct ubdx_queue - one queue, see above.
 * @ring:	its io_uring.
 * @enter_flags: of its io_uring_enter().
 * @last_commit: of those that are not handed in yet.
 * @read_at:	when the completions that are being handled were found, ns, CLOCK_MONOTONIC; 0: not known.
 * @live:	tags whose command or request is out; when none is, the thread leaves.
 * @id:		number of the queue.
 * @depth:	number of tags.
 * @max_io_bytes: length of each tag's buffer.
 * @may_register: buffers can be registered with the ring.
 * @target:	says what requests mean.
 * @descs:	the driver's descriptors, mapped read-only.
 * @ios:	indexed by tag.
 * @bufs:	all buffers, @stride apart.
 * @priv:	the strategies' own, by mode.
 * @channel:	descriptor of the channel.
 * @touch:	how much of each payload is looked at.
 * @report:	the page that tells others of it; NULL: none is.
 * @logger:	where to complain.
 */
struct ubdx_queue {
	struct io_uring ring;
	unsigned int enter_flags;
	struct io_uring_sqe *last_commit;
	uint64_t read_at;
	unsigned int live;
	uint16_t id;
	uint16_t depth;
	uint32_t max_io_bytes;
	bool may_register;
	struct ubdx_target *target;
	const struct ubdx_desc *descs;
	struct ubdx_io *ios;
	char *bufs;
	size_t stride;
	void *priv[UBDX_NR_XFER];
	int channel;
	uint32_t touch;
	struct ubdx_report *report;
	const struct ubdx_logger *logger;
};

/**
 * struct ubdx_queue_config - what a queue is made from; see struct ubdx_queue.
 */
struct ubdx_queue_config {
	uint16_t id;
	uint16_t depth;
	uint32_t max_io_bytes;
	uint64_t xfer_modes; /* that requests can have: bit 1 << mode */
	size_t prefault; /* of each buffer, a multiple of the page size */
	const unsigned int *cpus; /* where the kernel's workers for it may run */
	size_t nr_cpus; /* 0: anywhere */
	struct ubdx_target *target;
	int channel;
	uint32_t touch;
	const struct ubdx_logger *logger;
};

/* ---- queue.c ---- */

int ubdx_queue_init(struct ubdx_queue *q, const struct ubdx_queue_config *config);
int ubdx_queue_serve(struct ubdx_queue *q);
void ubdx_queue_exit(struct ubdx_queue *q);
int ubdx_queue_enter(struct ubdx_queue *q, unsigned int wait_nr);
bool ubdx_io_is_fixed(struct ubdx_io *io, const void *buf, uint32_t length);

/* ---- step.c ---- */

void ubdx_io_run(struct ubdx_io *io);
void ubdx_io_resume(struct ubdx_io *io, int res);
void ubdx_io_rw(struct ubdx_io *io, void *buf, uint32_t length, bool write);

/* ---- touch.c ---- */

int ubdx_touch_init(struct ubdx_queue *q);
void ubdx_touch_exit(struct ubdx_queue *q);
void ubdx_touch_begin(struct ubdx_io *io);
void ubdx_touch_end(struct ubdx_io *io);
void ubdx_touch_seen(struct ubdx_io *io, const void *bytes, uint64_t length);

/* ---- chan_uring.c ---- */

int ubdx_chan_open(struct ubdx_queue *q);
void ubdx_chan_close(struct ubdx_queue *q);
void ubdx_chan_event(struct ubdx_queue *q, uint16_t tag, int res);
void ubdx_chan_commit(struct ubdx_io *io, int32_t res);
void ubdx_chan_flush(struct ubdx_queue *q);

/* ---- for all of them ---- */

/* The SQE of the tag that is being dealt with; its content is stale, so set every field. */
static inline struct io_uring_sqe *ubdx_queue_sqe(struct ubdx_queue *q)
{
	struct io_uring_sq *sq = &q->ring.sq;

	return &sq->sqes[sq->sqe_tail++ & sq->ring_mask];
}

/* (@bytes, @length) of a READ's payload, from io->done on, are where they can be looked at. */
static inline void ubdx_io_seen(struct ubdx_io *io, const void *bytes, uint64_t length)
{
	if (unlikely(io->done < io->touch))
		ubdx_touch_seen(io, bytes, length);
}

/* An SQE for the step of @io; its CQE goes to the strategy, or to step.c. */
static inline struct io_uring_sqe *ubdx_io_sqe(struct ubdx_io *io, uint8_t opcode)
{
	struct io_uring_sqe *sqe = ubdx_queue_sqe(io->q);

	memset(sqe, 0, sizeof(*sqe));
	sqe->opcode = opcode;
	sqe->user_data = io->tag | UBDX_DATA_STEP;
	return sqe;
}

#endif /* UBDX_QUEUE_H */
