// SPDX-License-Identifier: MIT OR LGPL-2.1
/*
 * splice.c - transfer mode `splice`: the payload goes between channel and file through a pipe, not
 * through the server's memory; the exceptions are below. The queue has one pipe for all its tags:
 * normally two system calls of the queue's thread move a payload through the pipe. They leave the
 * pipe empty.
 *
 * So the I/O is synchronous: while a payload moves, the queue does nothing else. Whatever the depth
 * of the queue, the file sees one READ or WRITE of the queue at a time. (io_uring would use a
 * thread for each splice.)
 *
 * A payload takes the path of mode `user` in four cases: splice(2) can't use the file (direct I/O
 * that is not aligned), the step's place is memory, no pipe can be opened, or the target inspects
 * this part of a READ.
 */
#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <syslog.h>
#include <unistd.h>

#include "strategy.h"

#define UBDX_SPLICE_BLOCK 4096

/* io->path: what resume() continues */
enum {
	UBDX_PATH_USER,
	UBDX_PATH_SYNC, /* the step's payload is written; the file is being synced */
};

/*
 * The queue's pipe. It is opened by the first request that needs it, and again after it was closed.
 * If opening fails, the next attempt is not before @retry_at.
 */
struct ubdx_pipe {
	int out, in; /* -1: not open */
	uint64_t retry_at; /* ubdx_coarse_ns() */
	struct ubdx_log_limit failures;
};

#define UBDX_PIPE_RETRY_NS 100000000ULL

static struct ubdx_pipe *ubdx_pipe(const struct ubdx_queue *q)
{
	return q->priv[UBDX_XFER_SPLICE];
}

static int ubdx_pipe_init(struct ubdx_queue *q)
{
	struct ubdx_pipe *p = calloc(1, sizeof(*p));

	if (!p)
		return ubdx_fail(-ENOMEM, "queue %u: %m", q->id);
	p->out = -1;
	p->in = -1;
	q->priv[UBDX_XFER_SPLICE] = p;
	return 0;
}

static cold bool ubdx_pipe_open(struct ubdx_queue *q)
{
	struct ubdx_pipe *p = ubdx_pipe(q);
	int fds[2];

	if (ubdx_coarse_ns() < p->retry_at)
		return false;
	if (pipe2(fds, O_CLOEXEC | O_NONBLOCK)) {
		ubdx_log_limited(q->logger, &p->failures, LOG_WARNING,
				 "queue %u: opening a pipe for mode splice: %s; "
				 "using the calls of mode user",
				 q->id, strerror(errno));
		p->retry_at = ubdx_coarse_ns() + UBDX_PIPE_RETRY_NS;
		return false;
	}
	p->out = fds[0];
	p->in = fds[1];
	/* Room for a whole request, even if it is not page-aligned. A smaller pipe works, too. */
	fcntl(p->in, F_SETPIPE_SZ, q->max_io_bytes + sysconf(_SC_PAGESIZE));
	return true;
}

static bool ubdx_pipe_ready(struct ubdx_queue *q)
{
	return likely(ubdx_pipe(q)->in >= 0) || ubdx_pipe_open(q);
}

static void ubdx_pipe_close(struct ubdx_pipe *p)
{
	if (p->in < 0)
		return;
	close(p->out);
	close(p->in);
	p->out = -1;
	p->in = -1;
}

static void ubdx_pipe_exit(struct ubdx_queue *q)
{
	struct ubdx_pipe *p = ubdx_pipe(q);

	if (p)
		ubdx_pipe_close(p);
	free(p);
}

/* Empty the pipe: the next request must not get what a failed one has left there. */
static cold void ubdx_pipe_drain(struct ubdx_queue *q, char *buf, size_t bytes)
{
	struct ubdx_pipe *p = ubdx_pipe(q);

	while (read(p->out, buf, bytes) > 0)
		;
	/* Pages of a request that is gone can't be read. The next request opens a new pipe. */
	if (errno != EAGAIN)
		ubdx_pipe_close(p);
}

/*
 * Move payload from @from to @to; the pipe is open. Can move less than @length; fails only if it
 * can move nothing. Returns 0 if @from has nothing.
 */
static int64_t ubdx_pipe_pass(struct ubdx_io *io, int from, off_t from_pos, int to, off_t to_pos,
			      size_t length)
{
	struct ubdx_pipe *p = ubdx_pipe(io->q);
	ssize_t in, out = 0, done = 0;

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
	io->path = UBDX_PATH_SYNC;
	return UBDX_ASYNC;
}

static int64_t ubdx_splice_move(struct ubdx_io *io)
{
	struct ubdx_step *step = &io->step;
	int channel = io->q->channel, file;
	off_t pos = ubdx_user_pos(io);
	bool write = io->desc->op == UBDX_OP_WRITE;
	int64_t moved;

	io->path = UBDX_PATH_USER;
	if (step->kind == UBDX_STEP_MEM || unlikely(!ubdx_pipe_ready(io->q)))
		return ubdx_user_move(io);
	file = io->q->target->files[step->file];
	/*
	 * The part of a READ that the target inspects must be in memory. The step is cut to
	 * this part, rounded up to whole blocks for direct I/O.
	 */
	if (unlikely(!write && io->done < io->inspect_bytes)) {
		uint64_t length = ubdx_round_up(io->inspect_bytes - io->done, UBDX_SPLICE_BLOCK);

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
	if (io->path == UBDX_PATH_SYNC)
		return res < 0 ? res : (int64_t)io->step.length;
	return ubdx_user_resume(io, res);
}

const struct ubdx_strategy ubdx_strategy_splice = {
	.name = "splice",
	.queue_init = ubdx_pipe_init,
	.queue_exit = ubdx_pipe_exit,
	.move = ubdx_splice_move,
	.resume = ubdx_splice_resume,
	.peek_write = ubdx_user_peek_write,
};
