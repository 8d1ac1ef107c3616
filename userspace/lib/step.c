// SPDX-License-Identifier: MIT OR LGPL-2.1
/*
 * step.c - serves a request: asks the target for one step after the other, checks each step against
 * the request, and executes it. The strategy executes the steps that move payload, this file the
 * others.
 *
 * ubdx_io_begin() starts a request, ubdx_io_resume() continues it after an SQE. Both return the
 * request's result, or UBDX_ASYNC while an SQE is under way; queue.c commits the result. They run
 * in the queue's thread.
 */
#include <errno.h>
#include <fcntl.h>
#include <linux/blkdev.h>
#include <linux/falloc.h>
#include <linux/fs.h>
#include <syslog.h>

#include "queue.h"

const char ubdx_zeroes[UBDX_ZEROES_BYTES] __attribute__((aligned(4096)));

static int ubdx_fixed_file(const struct ubdx_step *step)
{
	return UBDX_FILE_TARGET + step->file;
}

/* @addr: address of the memory; for a buffer that the driver has registered, the offset in it. */
static struct io_uring_sqe *ubdx_io_rw_sqe(struct ubdx_io *io, uint8_t opcode, uint64_t addr,
					   uint32_t length)
{
	const struct ubdx_step *step = &io->step;
	struct io_uring_sqe *sqe = ubdx_io_sqe(io, opcode);

	sqe->flags = IOSQE_FIXED_FILE;
	sqe->fd = ubdx_fixed_file(step);
	sqe->off = step->offset;
	sqe->addr = addr;
	sqe->len = length;
	sqe->rw_flags = step->flags & UBDX_STEP_DSYNC ? RWF_DSYNC : 0;
	return sqe;
}

/**
 * ubdx_io_rw() - make the SQE that reads or writes the file of the current step.
 * @buf: memory; if it lies in the tag's buffer, the buffer's registration is used.
 */
void ubdx_io_rw(struct ubdx_io *io, void *buf, uint32_t length, bool write)
{
	struct io_uring_sqe *sqe = ubdx_io_rw_sqe(io, write ? IORING_OP_WRITE : IORING_OP_READ,
						  (uintptr_t)buf, length);

	if (ubdx_io_is_fixed(io, buf, length)) {
		sqe->opcode = write ? IORING_OP_WRITE_FIXED : IORING_OP_READ_FIXED;
		sqe->buf_index = io->tag;
	}
}

/**
 * ubdx_io_rw_payload() - make the SQE that reads or writes the file of the current step; the memory
 * is the request's own pages, from byte io->done on. The driver has registered them as a fixed
 * buffer.
 */
void ubdx_io_rw_payload(struct ubdx_io *io, uint32_t length, bool write)
{
	struct io_uring_sqe *sqe = ubdx_io_rw_sqe(
		io, write ? IORING_OP_WRITE_FIXED : IORING_OP_READ_FIXED, io->done, length);

	sqe->buf_index = ubdx_payload_base(io->q) + io->tag;
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
	/* fallocate() must leave zeroes. Many block devices can discard, but not zero. */
	if (io->step.flags & UBDX_STEP_BLOCK)
		ubdx_io_discard(io);
	else
		ubdx_io_fallocate(io, FALLOC_FL_PUNCH_HOLE | FALLOC_FL_KEEP_SIZE);
	return UBDX_ASYNC;
}

/* Methods of zeroing, best first. If a file does not support one, the next one is tried. */
enum {
	UBDX_ZERO_PUNCH,
	UBDX_ZERO_RANGE,
	UBDX_ZERO_WRITE,
};

static int64_t ubdx_zero_try(struct ubdx_io *io, uint8_t method)
{
	uint64_t length = io->step.length;

	io->zero_method = method;
	switch (method) {
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
	uint8_t method = io->step.flags & UBDX_STEP_UNMAP ? UBDX_ZERO_PUNCH : UBDX_ZERO_RANGE;

	/* A method that failed for the first part of a request isn't tried for the others. */
	return ubdx_zero_try(io, method > io->zero_method ? method : io->zero_method);
}

static int64_t ubdx_whole_resume(struct ubdx_io *io, int res)
{
	return res < 0 ? res : (int64_t)io->step.length;
}

static int64_t ubdx_zero_resume(struct ubdx_io *io, int res)
{
	if (io->zero_method == UBDX_ZERO_WRITE)
		return res;
	if (res == -EOPNOTSUPP)
		return ubdx_zero_try(io, io->zero_method + 1);
	return ubdx_whole_resume(io, res);
}

/* ---- steps with a payload ---- */

static const struct ubdx_strategy *ubdx_io_strategy(const struct ubdx_io *io)
{
	uint8_t mode = io->desc->xfer;

	return likely(mode < UBDX_NR_XFER) ? ubdx_strategies[mode] : NULL;
}

static int64_t ubdx_move_start(struct ubdx_io *io)
{
	const struct ubdx_strategy *strategy = ubdx_io_strategy(io);

	/* This can't happen: the driver uses only modes that the server has offered. */
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

/* ---- the check ---- */

/*
 * Which kinds of step fit an operation, with which flags, and which members of the step are used.
 */
#define UBDX_FITS (1U << 15)
#define UBDX_NAMES_FILE (1U << 14)
#define UBDX_NAMES_RANGE (1U << 13) /* offset and length, of the file */
#define UBDX_NAMES_MEMORY (1U << 12)

#define UBDX_KEEPS (UBDX_STEP_KEEP | UBDX_STEP_KEEP_WRITES)

static const uint16_t ubdx_step_fits[UBDX_NR_OPS][UBDX_NR_STEPS] = {
	[UBDX_OP_READ] = {
		[UBDX_STEP_DONE] = UBDX_FITS | UBDX_STEP_NO_DATA,
		[UBDX_STEP_FILE] = UBDX_FITS | UBDX_NAMES_FILE | UBDX_NAMES_RANGE | UBDX_KEEPS,
		[UBDX_STEP_MEM] = UBDX_FITS | UBDX_NAMES_MEMORY,
	},
	[UBDX_OP_WRITE] = {
		[UBDX_STEP_DONE] = UBDX_FITS | UBDX_STEP_NO_DATA,
		[UBDX_STEP_FILE] = UBDX_FITS | UBDX_NAMES_FILE | UBDX_NAMES_RANGE | UBDX_STEP_DSYNC |
				   UBDX_KEEPS,
		[UBDX_STEP_MEM] = UBDX_FITS | UBDX_NAMES_MEMORY,
	},
	[UBDX_OP_FLUSH] = {
		[UBDX_STEP_DONE] = UBDX_FITS | UBDX_STEP_NO_DATA,
		[UBDX_STEP_SYNC] = UBDX_FITS | UBDX_NAMES_FILE,
	},
	[UBDX_OP_DISCARD] = {
		[UBDX_STEP_DONE] = UBDX_FITS | UBDX_STEP_NO_DATA,
		[UBDX_STEP_PUNCH] = UBDX_FITS | UBDX_NAMES_FILE | UBDX_NAMES_RANGE | UBDX_STEP_BLOCK,
		[UBDX_STEP_ZERO] = UBDX_FITS | UBDX_NAMES_FILE | UBDX_NAMES_RANGE | UBDX_STEP_UNMAP,
	},
	[UBDX_OP_WRITE_ZEROES] = {
		[UBDX_STEP_DONE] = UBDX_FITS | UBDX_STEP_NO_DATA,
		[UBDX_STEP_ZERO] = UBDX_FITS | UBDX_NAMES_FILE | UBDX_NAMES_RANGE | UBDX_STEP_UNMAP,
	},
};

#define UBDX_STEP_FLAGS \
	(UBDX_STEP_DSYNC | UBDX_STEP_UNMAP | UBDX_STEP_BLOCK | UBDX_STEP_NO_DATA | UBDX_KEEPS)

_Static_assert(!(UBDX_STEP_FLAGS &
		 (UBDX_FITS | UBDX_NAMES_FILE | UBDX_NAMES_RANGE | UBDX_NAMES_MEMORY)),
	       "the flags of a step and what it names share a word of the table");

/*
 * What is wrong with the step's file, range or memory; NULL if nothing is. The caller has cut the
 * step to the request's length.
 */
static const char *ubdx_step_misplaced(const struct ubdx_io *io, uint16_t fits)
{
	const struct ubdx_step *step = &io->step;

	if (fits & UBDX_NAMES_FILE && step->file >= io->q->target->nr_files)
		return "names a file that the target doesn't have";
	if (fits & (UBDX_NAMES_RANGE | UBDX_NAMES_MEMORY) && !step->length)
		return "covers nothing";
	if (fits & UBDX_NAMES_RANGE && step->offset > INT64_MAX - step->length)
		return "goes beyond what a file can hold";
	if (fits & UBDX_NAMES_MEMORY &&
	    (!step->addr || (uintptr_t)step->addr > UINTPTR_MAX - step->length))
		return "has an invalid address";
	return NULL;
}

/* DONE with NO_DATA fits every request. It is tested first because target null should be cheap. */
static inline bool ubdx_step_is_no_data(const struct ubdx_step *step)
{
	return step->kind == UBDX_STEP_DONE && step->flags == UBDX_STEP_NO_DATA;
}

/* What is wrong with the target's step; NULL if it fits the request. */
static inline const char *ubdx_step_misfit(const struct ubdx_io *io)
{
	const struct ubdx_desc *desc = io->desc;
	const struct ubdx_step *step = &io->step;
	uint16_t fits;

	if (unlikely(desc->op >= UBDX_NR_OPS))
		return "is for an unknown operation";
	if (unlikely(step->kind >= UBDX_NR_STEPS))
		return "is of an unknown kind";
	fits = ubdx_step_fits[desc->op][step->kind];
	if (unlikely(!fits))
		return "is not for this operation";
	if (unlikely(step->flags & ~(fits & UBDX_STEP_FLAGS)))
		return "has flags that are not for it";
	if (unlikely(step->flags & UBDX_STEP_UNMAP && desc->flags & UBDX_DESC_NOUNMAP))
		return "deallocates what is to stay allocated";
	if (step->kind == UBDX_STEP_DONE) {
		/* The target is asked only while payload is left. */
		if (unlikely(desc->op <= UBDX_OP_WRITE && !(step->flags & UBDX_STEP_NO_DATA)))
			return "leaves payload unmoved";
		return NULL;
	}
	return ubdx_step_misplaced(io, fits);
}

static cold int ubdx_step_refuse(struct ubdx_io *io, const char *reason)
{
	static const char *const ops[UBDX_NR_OPS] = {
		[UBDX_OP_READ] = "READ",
		[UBDX_OP_WRITE] = "WRITE",
		[UBDX_OP_FLUSH] = "FLUSH",
		[UBDX_OP_DISCARD] = "DISCARD",
		[UBDX_OP_WRITE_ZEROES] = "WRITE_ZEROES",
	};
	const struct ubdx_desc *desc = io->desc;
	const struct ubdx_step *step = &io->step;

	ubdx_log_limited(io->q->logger, &io->q->misfits, LOG_ERR,
			 "queue %u: target %s, %s of sector %llu: the step %s "
			 "(kind %u, flags %#x, file %u); the request fails",
			 io->q->id, io->q->target->ops->name,
			 desc->op < UBDX_NR_OPS ? ops[desc->op] : "?",
			 (unsigned long long)desc->sector, reason, step->kind, step->flags,
			 step->file);
	return -EIO;
}

/* ---- a request ---- */

/* What a successful commit says: the bytes of a READ or WRITE, 0 for everything else. */
static int32_t ubdx_io_served(const struct ubdx_io *io)
{
	return likely(io->desc->op <= UBDX_OP_WRITE) ? (int32_t)ubdx_desc_bytes(io->desc) : 0;
}

/* Get and start the next step. Returns as a strategy's move() does; 0 for UBDX_STEP_DONE. */
static inline int64_t ubdx_io_step(struct ubdx_io *io)
{
	struct ubdx_target *target = io->q->target;
	struct ubdx_step *step = &io->step;
	const char *misfit;
	uint64_t left;
	int ret;

	step->kind = UBDX_STEP_DONE;
	step->flags = 0;
	step->file = 0;
	step->reserved = 0;
	ret = target->ops->resolve(target, io->desc, io->done, step);
	if (unlikely(ret)) {
		if (ret > 0)
			ret = ubdx_step_refuse(io,
					       "is invalid: resolve() returned a positive number");
		return ret;
	}
	if (ubdx_step_is_no_data(step))
		return 0;
	left = ubdx_desc_bytes(io->desc) - io->done;
	if (step->length > left)
		step->length = left;
	misfit = ubdx_step_misfit(io);
	if (unlikely(misfit))
		return ubdx_step_refuse(io, misfit);
	if (step->kind == UBDX_STEP_DONE)
		return 0;
	return ubdx_step_ops[step->kind].start(io);
}

/* Account for a step's result, and run the steps that follow. Returns as ubdx_io_begin() does. */
static int64_t ubdx_io_go_on(struct ubdx_io *io, int64_t result)
{
	while (result != UBDX_ASYNC) {
		if (unlikely(result < 0))
			return result == UBDX_ENOUGH ? (int64_t)io->done : result;
		io->done += result;
		if (io->done >= ubdx_desc_bytes(io->desc))
			return ubdx_io_served(io);
		/*
		 * DONE after extents: the answer covers only the extents; the rest comes again as a
		 * new request.
		 */
		if (io->step.kind == UBDX_STEP_DONE)
			return unlikely(io->nr_extents) ? (int64_t)io->done : ubdx_io_served(io);
		/* The step made no progress, and another attempt would make none. */
		if (unlikely(!result))
			return -EIO;
		result = ubdx_io_step(io);
	}
	return UBDX_ASYNC;
}

/**
 * ubdx_io_begin() - a request has come; start it.
 *
 * Return: what to commit, as in struct ubdx_commit; UBDX_ASYNC while an SQE is under way.
 */
int64_t ubdx_io_begin(struct ubdx_io *io)
{
	io->done = 0;
	io->zero_method = 0;
	io->nr_extents = 0;
	if (unlikely(io->q->inspect_bytes))
		ubdx_inspect_begin(io);
	return ubdx_io_go_on(io, ubdx_io_step(io));
}

/**
 * ubdx_io_resume() - the SQE of a request's step has completed with @res. Returns as
 * ubdx_io_begin() does.
 */
int64_t ubdx_io_resume(struct ubdx_io *io, int res)
{
	return ubdx_io_go_on(io, ubdx_step_ops[io->step.kind].resume(io, res));
}
