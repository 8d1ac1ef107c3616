// SPDX-License-Identifier: MIT OR LGPL-2.1
/*
 * step.c - a request's way through its target's steps, from delivery to commit.
 *
 * ubdx_io_run() asks the target for a step and takes it, until the request is done with, has
 * failed, or waits for an SQE; the SQE's result comes back through ubdx_io_resume(), which goes on
 * from there. Steps that move payload are the strategy's, the others are done here. Runs in the
 * queue's thread.
 */
#include <errno.h>
#include <fcntl.h>
#include <linux/blkdev.h>
#include <linux/falloc.h>
#include <linux/fs.h>

#include "queue.h"

/* What zeroes are written from where a file can't be told to have some; aligned for direct I/O. */
#define UBDX_ZEROES_BYTES (256U << 10)

static const char ubdx_zeroes[UBDX_ZEROES_BYTES] __attribute__((aligned(4096)));

static int ubdx_fixed_file(const struct ubdx_step *step)
{
	return UBDX_FILE_TARGET + step->file;
}

/**
 * ubdx_io_rw() - have io_uring read or write the file of the current step.
 * @buf: memory; if it is in the tag's buffer, its registration is made use of.
 */
void ubdx_io_rw(struct ubdx_io *io, void *buf, uint32_t length, bool write)
{
	const struct ubdx_step *step = &io->step;
	struct io_uring_sqe *sqe = ubdx_io_sqe(io, write ? IORING_OP_WRITE : IORING_OP_READ);

	if (ubdx_io_is_fixed(io, buf, length)) {
		sqe->opcode = write ? IORING_OP_WRITE_FIXED : IORING_OP_READ_FIXED;
		sqe->buf_index = io->tag;
	}
	sqe->flags = IOSQE_FIXED_FILE;
	sqe->fd = ubdx_fixed_file(step);
	sqe->off = step->offset;
	sqe->addr = (uintptr_t)buf;
	sqe->len = length;
	sqe->rw_flags = step->flags & UBDX_STEP_DSYNC ? RWF_DSYNC : 0;
}

static void ubdx_io_fallocate(struct ubdx_io *io, int mode)
{
	const struct ubdx_step *step = &io->step;
	struct io_uring_sqe *sqe = ubdx_io_sqe(io, IORING_OP_FALLOCATE);

	sqe->flags = IOSQE_FIXED_FILE;
	sqe->fd = ubdx_fixed_file(step);
	sqe->off = step->offset;
	sqe->addr = step->length;
	sqe->len = mode;
}

/* ---- steps without a payload ---- */

static int64_t ubdx_sync_start(struct ubdx_io *io)
{
	struct io_uring_sqe *sqe = ubdx_io_sqe(io, IORING_OP_FSYNC);

	sqe->flags = IOSQE_FIXED_FILE;
	sqe->fd = ubdx_fixed_file(&io->step);
	sqe->fsync_flags = IORING_FSYNC_DATASYNC;
	return UBDX_ASYNC;
}

static void ubdx_io_discard(struct ubdx_io *io)
{
	const struct ubdx_step *step = &io->step;
	struct io_uring_sqe *sqe = ubdx_io_sqe(io, IORING_OP_URING_CMD);

	sqe->flags = IOSQE_FIXED_FILE;
	sqe->fd = ubdx_fixed_file(step);
	sqe->cmd_op = BLOCK_URING_CMD_DISCARD;
	sqe->addr = step->offset;
	sqe->addr3 = step->length;
}

static int64_t ubdx_punch_start(struct ubdx_io *io)
{
	/* A hole in a block device would have to read as zeroes, which many can't do. */
	if (io->step.flags & UBDX_STEP_BLOCK)
		ubdx_io_discard(io);
	else
		ubdx_io_fallocate(io, FALLOC_FL_PUNCH_HOLE | FALLOC_FL_KEEP_SIZE);
	return UBDX_ASYNC;
}

/* The ways to zero, best first; a file that lacks one is asked for the next. */
enum {
	UBDX_ZERO_PUNCH,
	UBDX_ZERO_RANGE,
	UBDX_ZERO_WRITE,
};

static int64_t ubdx_zero_try(struct ubdx_io *io, uint8_t way)
{
	uint64_t length = io->step.length;

	io->zero_way = way;
	switch (way) {
	case UBDX_ZERO_PUNCH:
		ubdx_io_fallocate(io, FALLOC_FL_PUNCH_HOLE | FALLOC_FL_KEEP_SIZE);
		break;
	case UBDX_ZERO_RANGE:
		ubdx_io_fallocate(io, FALLOC_FL_ZERO_RANGE | FALLOC_FL_KEEP_SIZE);
		break;
	default:
		if (length > UBDX_ZEROES_BYTES)
			length = UBDX_ZEROES_BYTES;
		ubdx_io_rw(io, (void *)ubdx_zeroes, length, true);
		break;
	}
	return UBDX_ASYNC;
}

static int64_t ubdx_zero_start(struct ubdx_io *io)
{
	uint8_t way = io->step.flags & UBDX_STEP_UNMAP ? UBDX_ZERO_PUNCH : UBDX_ZERO_RANGE;

	/* What failed for the first part of a request isn't tried for the others. */
	return ubdx_zero_try(io, way > io->zero_way ? way : io->zero_way);
}

static int64_t ubdx_whole_resume(struct ubdx_io *io, int res)
{
	return res < 0 ? res : (int64_t)io->step.length;
}

static int64_t ubdx_zero_resume(struct ubdx_io *io, int res)
{
	if (io->zero_way == UBDX_ZERO_WRITE)
		return res;
	if (res == -EOPNOTSUPP)
		return ubdx_zero_try(io, io->zero_way + 1);
	return ubdx_whole_resume(io, res);
}

/* ---- steps with one ---- */

static const struct ubdx_strategy *ubdx_io_strategy(const struct ubdx_io *io)
{
	uint8_t mode = io->desc->xfer;

	return likely(mode < UBDX_NR_XFER) ? ubdx_strategies[mode] : NULL;
}

static int64_t ubdx_move_start(struct ubdx_io *io)
{
	const struct ubdx_strategy *strategy = ubdx_io_strategy(io);

	/* The driver was told what is offered. */
	if (unlikely(!strategy))
		return -EPROTO;
	return strategy->move(io);
}

static int64_t ubdx_move_resume(struct ubdx_io *io, int res)
{
	return ubdx_io_strategy(io)->resume(io, res);
}

static const struct ubdx_step_ops {
	int64_t (*start)(struct ubdx_io *io);
	int64_t (*resume)(struct ubdx_io *io, int res);
} ubdx_step_ops[UBDX_NR_STEPS] = {
	[UBDX_STEP_FILE] = { ubdx_move_start, ubdx_move_resume },
	[UBDX_STEP_MEM] = { ubdx_move_start, ubdx_move_resume },
	[UBDX_STEP_SYNC] = { ubdx_sync_start, ubdx_whole_resume },
	[UBDX_STEP_PUNCH] = { ubdx_punch_start, ubdx_whole_resume },
	[UBDX_STEP_ZERO] = { ubdx_zero_start, ubdx_zero_resume },
};

/* ---- a request ---- */

/* What a successful commit says: the bytes of a READ or WRITE, 0 for everything else. */
static int32_t ubdx_io_served(const struct ubdx_io *io)
{
	return likely(io->desc->op <= UBDX_OP_WRITE) ? (int32_t)ubdx_desc_bytes(io->desc) : 0;
}

/*
 * The target has nothing for a READ. If it is to be looked at all the same, that much of it is made of
 * zeroes, as a step of its own.
 */
static bool ubdx_touch_nothing(struct ubdx_io *io)
{
	struct ubdx_step *step = &io->step;

	if (likely(io->done >= io->touch || io->desc->op != UBDX_OP_READ))
		return false;
	step->kind = UBDX_STEP_MEM;
	step->addr = (void *)ubdx_zeroes;
	step->length = io->touch - io->done;
	if (step->length > UBDX_ZEROES_BYTES)
		step->length = UBDX_ZEROES_BYTES;
	return true;
}

/* Take the next step. Its result, as for a strategy's move(); 0 is UBDX_STEP_DONE. */
static inline int64_t ubdx_io_step(struct ubdx_io *io)
{
	struct ubdx_target *target = io->q->target;
	struct ubdx_step *step = &io->step;
	uint64_t left;
	int ret;

	step->kind = UBDX_STEP_DONE;
	step->flags = 0;
	step->file = 0;
	ret = target->ops->resolve(target, io->desc, io->done, step);
	if (ret || (step->kind == UBDX_STEP_DONE && !ubdx_touch_nothing(io)))
		return ret;

	left = ubdx_desc_bytes(io->desc) - io->done;
	if (step->length > left)
		step->length = left;
	return ubdx_step_ops[step->kind].start(io);
}

/* Account for a step's result; true if the request goes on with another one. */
static inline bool ubdx_io_advance(struct ubdx_io *io, int64_t result)
{
	if (unlikely(result < 0)) {
		ubdx_chan_commit(io, result);
		return false;
	}
	io->done += result;
	if (io->step.kind == UBDX_STEP_DONE || io->done >= ubdx_desc_bytes(io->desc)) {
		if (unlikely(io->touch))
			ubdx_touch_end(io);
		ubdx_chan_commit(io, ubdx_io_served(io));
		return false;
	}
	if (likely(result))
		return true;
	/* No progress, and there would be none the next time. */
	ubdx_chan_commit(io, -EIO);
	return false;
}

/* A request has come, or goes on. */
void ubdx_io_run(struct ubdx_io *io)
{
	int64_t result;

	do {
		result = ubdx_io_step(io);
	} while (result != UBDX_ASYNC && ubdx_io_advance(io, result));
}

/* An SQE of its step has a result. */
void ubdx_io_resume(struct ubdx_io *io, int res)
{
	int64_t result = ubdx_step_ops[io->step.kind].resume(io, res);

	if (result != UBDX_ASYNC && ubdx_io_advance(io, result))
		ubdx_io_run(io);
}
