/* SPDX-License-Identifier: MIT OR LGPL-2.1 */
/*
 * strategy.h - the server's half of a transfer mode: a strategy moves the payload of a request
 * between the driver and the place that the target named. This is the only header that a strategy
 * includes.
 *
 * A strategy and its file have the name of the driver's mode. The mode in a request's descriptor
 * selects the strategy. A strategy moves bytes between a request and a place; it knows nothing of
 * sectors. To add a strategy, write the file and enter it in list.h.
 *
 * While a request is at the server:
 *	io->desc	is the driver's, read-only, and stable until the commit.
 *	io->buf		is the tag's buffer of max_io_bytes. In mode `copy` it holds the payload;
 *			the other strategies may use it freely.
 *	io->step	is the target's answer, checked. A strategy reads it, and may shorten it.
 *	io->done	counts the bytes already moved; step.c advances it.
 *	q->priv[mode]	belongs to the strategy, one for each queue.
 * Only the queue's thread touches a queue and its requests, so there are no locks.
 */
#ifndef UBDX_STRATEGY_H
#define UBDX_STRATEGY_H

#include <liburing.h>
#include <stdbool.h>
#include <stdint.h>
#include <string.h>

#include "lib.h"
#include "list.h"

/* Size of tables that are indexed by enum ubdx_op. */
#define UBDX_NR_OPS (UBDX_OP_WRITE_ZEROES + 1)

/* In place of a result: one SQE from ubdx_io_sqe() is under way; resume() gets its CQE. */
#define UBDX_ASYNC INT64_MIN

/* Result of move(): the step can't be a part of this answer. Commit io->done bytes. */
#define UBDX_ENOUGH (INT64_MIN + 1)

/* cqe->user_data: the tag, and whether the CQE is of a step's I/O or of a command to the driver. */
#define UBDX_DATA_TAG 0xffffU
#define UBDX_DATA_STEP 0x10000U

/* Index of the channel among the ring's registered files; the target's files follow. */
#define UBDX_FILE_CHANNEL 0
#define UBDX_FILE_TARGET 1

/**
 * struct ubdx_io - a tag, and the request that the tag carries while the request is at the server.
 * @q:		the tag's queue.
 * @desc:	the driver's descriptor, read-only.
 * @buf:	the tag's buffer.
 * @done:	bytes of the request that have been dealt with.
 * @step:	the current step.
 * @read_ns:	with UBDX_DESC_STAMP: for the commit, see struct ubdx_commit.
 * @fixed_bytes: how much of @buf, from its start, is registered with the ring.
 * @buffered_bytes: how much of a WRITE's payload, from its start, peek_write() has put into @buf.
 * @inspect_bytes: how much of the payload, from its start, the target inspects (inspect.c).
 * @tag:	number of the tag.
 * @zero_method: how UBDX_STEP_ZERO is being done, see step.c.
 * @path:	the strategy's own, from move() to resume().
 * @keep:	with @nr_extents: UBDX_COMMIT_KEEP and UBDX_COMMIT_KEEP_WRITES, for the answer.
 * @nr_extents:	number of @extents; if it isn't 0, the answer is UBDX_COMMIT_FORWARD.
 * @refused:	the driver could not forward the request whose desc->seq is @refused_seq.
 * @extents:	for mode `forward`: where the request's first @done bytes are.
 */
struct ubdx_io {
	struct ubdx_queue *q;
	const struct ubdx_desc *desc;
	char *buf;
	uint64_t done;
	struct ubdx_step step;
	uint32_t read_ns;
	uint32_t fixed_bytes;
	uint32_t buffered_bytes;
	uint32_t inspect_bytes;
	uint16_t tag;
	uint8_t zero_method;
	uint8_t path;
	uint8_t keep;
	uint8_t nr_extents;
	bool refused;
	uint32_t refused_seq;
	struct ubdx_extent *extents;
} __attribute__((aligned(128)));

/**
 * struct ubdx_queue - one queue of a device. Strategies use the first group of members; `forward`
 * also uses @may_forward and @ios.
 * @id:		number of the queue.
 * @depth:	number of tags.
 * @max_io_bytes: length of each tag's buffer.
 * @channel:	descriptor of the channel.
 * @target:	the target; its files[] are the places that steps name.
 * @logger:	where messages go.
 * @priv:	the strategies' own, by mode.
 *
 * @ring:	the queue's io_uring.
 * @enter_flags: flags of each io_uring_enter().
 * @last_commit: the last commit that was not submitted yet.
 * @read_at:	when the current completions were found, ns, CLOCK_MONOTONIC; 0: not measured.
 * @live:	the tags that can still get requests, plus 1 for ATTACH's command while it is
 *		parked; at 0 the thread leaves.
 * @may_register: buffers can be registered with the ring. The ring's table has the tags' buffers
 *		first; the requests' pages, which the driver registers in mode `regbuf`, follow.
 * @may_forward: all files of the target are registered (UBDX_IOC_SET_FILE).
 * @descs:	the driver's descriptors, mapped read-only.
 * @ios:	indexed by tag.
 * @bufs:	all buffers, @stride apart.
 * @inspect_bytes: how much of each payload, from its start, the target inspects.
 * @misfits:	limits the messages about steps that do not fit.
 */
struct ubdx_queue {
	uint16_t id;
	uint16_t depth;
	uint32_t max_io_bytes;
	int channel;
	struct ubdx_target *target;
	const struct ubdx_logger *logger;
	void *priv[UBDX_NR_XFER];

	struct io_uring ring;
	unsigned int enter_flags;
	struct io_uring_sqe *last_commit;
	uint64_t read_at;
	unsigned int live;
	bool may_register;
	bool may_forward;
	const struct ubdx_desc *descs;
	struct ubdx_io *ios;
	char *bufs;
	size_t stride;
	uint32_t inspect_bytes;
	struct ubdx_log_limit misfits;
};

/**
 * struct ubdx_strategy - the server's half of a transfer mode.
 * @name:	as the driver's.
 * @queue_init:	acquire what each queue needs, in its thread, before the first request; may be NULL.
 *		Returns 0 or the result of ubdx_fail(). Only called if requests can have the mode.
 * @queue_exit:	release what queue_init() acquired; may be NULL. Called also if queue_init() failed
 *		or was not called. The queue has no requests any more.
 * @move:	move payload between @io, from byte io->done on, and the place in io->step
 *		(UBDX_STEP_FILE or UBDX_STEP_MEM). The step is never longer than what is left of the
 *		request.
 * @resume:	go on after an SQE, whose result is @res.
 * @peek_write:	return an address at which the first @length bytes of a WRITE's payload can be read;
 *		or NULL. Called before the first move(), if the target inspects payloads.
 *
 * If the target inspects payloads, move() and resume() pass each byte of the first
 * io->inspect_bytes of a READ to ubdx_io_on_read_data(), in order, before they count the byte as
 * moved.
 *
 * move() and resume() return how many bytes were moved; or UBDX_ASYNC; or a negative errno, with
 * which the request fails. move() can also return UBDX_ENOUGH, if at least one byte has been dealt
 * with before. They may move less than the step's length: the target is then asked for the rest. A
 * result of 0 fails the request, because it would not get any further.
 */
struct ubdx_strategy {
	const char *name;
	int (*queue_init)(struct ubdx_queue *q);
	void (*queue_exit)(struct ubdx_queue *q);
	int64_t (*move)(struct ubdx_io *io);
	int64_t (*resume)(struct ubdx_io *io, int res);
	const void *(*peek_write)(struct ubdx_io *io, uint64_t length);
};

/* Indexed by enum ubdx_xfer_mode; NULL where the library has none. */
extern const struct ubdx_strategy *const ubdx_strategies[UBDX_NR_XFER];

#define UBDX_STRATEGY_DECLARE(MODE, name) extern const struct ubdx_strategy ubdx_strategy_##name;
UBDX_STRATEGY_LIST(UBDX_STRATEGY_DECLARE)
#undef UBDX_STRATEGY_DECLARE

/* ---- the library's, for strategies ---- */

/* step.c: make the SQE that reads or writes the file of the current step. */
void ubdx_io_rw(struct ubdx_io *io, void *buf, uint32_t length, bool write);
/* The same with the request's own pages, from byte io->done on; for mode `regbuf`. */
void ubdx_io_rw_payload(struct ubdx_io *io, uint32_t length, bool write);

/* inspect.c: see ubdx_io_on_read_data(). */
void ubdx_inspect_read(struct ubdx_io *io, const void *bytes, uint64_t length);

/* The next free SQE. One is always free, see queue.h. Its content is stale, so set every field. */
static inline struct io_uring_sqe *ubdx_queue_sqe(struct ubdx_queue *q)
{
	struct io_uring_sq *sq = &q->ring.sq;

	return &sq->sqes[sq->sqe_tail++ & sq->ring_mask];
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

/* To be called when a READ's payload, from io->done on, is in memory at (@bytes, @length). */
static inline void ubdx_io_on_read_data(struct ubdx_io *io, const void *bytes, uint64_t length)
{
	if (unlikely(io->done < io->inspect_bytes))
		ubdx_inspect_read(io, bytes, length);
}

/* ---- user.c, for modes in which the server can also use the calls of mode `user` ---- */

uint64_t ubdx_user_pos(const struct ubdx_io *io);
int64_t ubdx_user_move(struct ubdx_io *io);
int64_t ubdx_user_resume(struct ubdx_io *io, int res);
const void *ubdx_user_peek_write(struct ubdx_io *io, uint64_t length);

#endif /* UBDX_STRATEGY_H */
