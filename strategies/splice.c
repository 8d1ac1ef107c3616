// SPDX-License-Identifier: MIT OR LGPL-2.1
/*
 * splice.c - transfer mode `splice`: the payload goes between channel and file through a pipe, without
 * ever being in our memory. The queue has one pipe for all its tags: a request's payload goes through
 * it by two calls, in the queue's own thread, and when those are done the pipe is empty again. (io_uring
 * would have each done by a thread of its own.)
 *
 * What a file can't take from a pipe (direct I/O of something odd), and what goes to memory or comes
 * from it, takes the way of mode `user`.
 */
#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <unistd.h>

#include "queue.h"
#include "strategy.h"

#define UBDX_SPLICE_BLOCK 4096

/* io->way: what resume() will be told of */
enum {
	UBDX_WAY_USER,
	UBDX_WAY_SYNC, /* the step's payload is written, and now synced */
};

struct ubdx_pipe {
	int out, in;
};

static struct ubdx_pipe *ubdx_pipe(const struct ubdx_queue *q)
{
	return q->priv[UBDX_XFER_SPLICE];
}

static int ubdx_pipe_open(struct ubdx_queue *q)
{
	long page = sysconf(_SC_PAGESIZE);
	struct ubdx_pipe *p = malloc(sizeof(*p));
	int fds[2];

	if (!p)
		return ubdx_fail(-ENOMEM, "queue %u: %m", q->id);
	if (pipe2(fds, O_CLOEXEC | O_NONBLOCK)) {
		free(p);
		return ubdx_fail(-errno, "queue %u: a pipe: %m", q->id);
	}
	*p = (struct ubdx_pipe){ .out = fds[0], .in = fds[1] };
	q->priv[UBDX_XFER_SPLICE] = p;
	/* A request at a time, even if it is not aligned to pages. A smaller pipe will do, too. */
	fcntl(p->in, F_SETPIPE_SZ, q->max_io_bytes + page);
	return 0;
}

static void ubdx_pipe_close(struct ubdx_queue *q)
{
	struct ubdx_pipe *p = ubdx_pipe(q);

	if (!p)
		return;
	close(p->out);
	close(p->in);
	free(p);
}

/* What is left in the pipe would be the next request's. */
static cold void ubdx_pipe_drain(struct ubdx_queue *q, char *buf, size_t bytes)
{
	while (read(ubdx_pipe(q)->out, buf, bytes) > 0)
		;
	/* Pages of a request that is gone can't even be read: a new pipe then. */
	if (errno == EAGAIN)
		return;
	ubdx_pipe_close(q);
	q->priv[UBDX_XFER_SPLICE] = NULL;
	ubdx_pipe_open(q);
}

/* From one file to the other. Less than asked for is fine, an error only if it's nothing at all. */
static int64_t ubdx_pipe_pass(struct ubdx_io *io, int from, off_t from_pos, int to, off_t to_pos,
			      size_t length)
{
	struct ubdx_pipe *p = ubdx_pipe(io->q);
	ssize_t in, out = 0, done = 0;

	if (unlikely(!p))
		return -EPIPE;
	in = splice(from, &from_pos, p->in, NULL, length, SPLICE_F_MOVE | SPLICE_F_NONBLOCK);
	if (in <= 0)
		return in ? -errno : 0;
	while (done < in) {
		out = splice(p->out, NULL, to, &to_pos, in - done, SPLICE_F_MOVE);
		if (out <= 0)
			break;
		done += out;
	}
	if (likely(done == in))
		return done;
	out = out ? -errno : -EIO;
	ubdx_pipe_drain(io->q, io->buf, io->q->max_io_bytes);
	return done ? done : out;
}

static int64_t ubdx_splice_sync(struct ubdx_io *io)
{
	struct io_uring_sqe *sqe = ubdx_io_sqe(io, IORING_OP_FSYNC);

	sqe->flags = IOSQE_FIXED_FILE;
	sqe->fd = UBDX_FILE_TARGET + io->step.file;
	sqe->fsync_flags = IORING_FSYNC_DATASYNC;
	io->way = UBDX_WAY_SYNC;
	return UBDX_ASYNC;
}

static int64_t ubdx_splice_move(struct ubdx_io *io)
{
	struct ubdx_step *step = &io->step;
	int channel = io->q->channel, file = io->q->target->files[step->file];
	off_t pos = ubdx_user_pos(io);
	bool write = io->desc->op == UBDX_OP_WRITE;
	int64_t moved;

	io->way = UBDX_WAY_USER;
	if (step->kind == UBDX_STEP_MEM)
		return ubdx_user_move(io);
	/* What of a READ is to be looked at has to come by. In blocks, for direct I/O. */
	if (unlikely(!write && io->done < io->touch)) {
		uint64_t length = ubdx_round_up(io->touch - io->done, UBDX_SPLICE_BLOCK);

		if (step->length > length)
			step->length = length;
		return ubdx_user_move(io);
	}
	moved = write ? ubdx_pipe_pass(io, channel, pos, file, step->offset, step->length) :
			ubdx_pipe_pass(io, file, step->offset, channel, pos, step->length);
	if (unlikely(moved == -EINVAL))
		return ubdx_user_move(io);
	/* 0: the file ends before the device does. */
	if (unlikely(moved <= 0))
		return moved ? moved : -EIO;
	if (unlikely(write && step->flags & UBDX_STEP_DSYNC)) {
		step->length = moved;
		return ubdx_splice_sync(io);
	}
	return moved;
}

static int64_t ubdx_splice_resume(struct ubdx_io *io, int res)
{
	if (io->way == UBDX_WAY_SYNC)
		return res < 0 ? res : (int64_t)io->step.length;
	return ubdx_user_resume(io, res);
}

const struct ubdx_strategy ubdx_strategy_splice = {
	.name = "splice",
	.queue_init = ubdx_pipe_open,
	.queue_exit = ubdx_pipe_close,
	.move = ubdx_splice_move,
	.resume = ubdx_splice_resume,
	.look = ubdx_user_look,
};
