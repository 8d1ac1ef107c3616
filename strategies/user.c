// SPDX-License-Identifier: MIT OR LGPL-2.1
/*
 * user.c - transfer mode `user`: the server reads a WRITE's payload from the channel, and writes a
 * READ's payload to the channel. Between channel and file the payload goes through the tag's
 * buffer; between channel and memory it is copied directly.
 *
 * The channel is read and written by plain system calls, which wait for nothing but page faults on
 * the server's memory and cost less than an SQE.
 */
#include <errno.h>
#include <unistd.h>

#include "strategy.h"

uint64_t ubdx_user_pos(const struct ubdx_io *io)
{
	return ubdx_pos(io->q->id, io->tag, io->desc->seq, io->done);
}

/*
 * Copy @length bytes of a WRITE's payload, from io->done on, to @to. Can be short if the request
 * ends, or if the memory can't be faulted in.
 */
static int64_t ubdx_user_get(struct ubdx_io *io, void *to, uint64_t length)
{
	ssize_t got = pread(io->q->channel, to, length, ubdx_user_pos(io));

	return got < 0 ? -errno : got;
}

static int64_t ubdx_user_put(struct ubdx_io *io, const void *from, uint64_t length)
{
	ssize_t put;

	ubdx_io_on_read_data(io, from, length);
	put = pwrite(io->q->channel, from, length, ubdx_user_pos(io));

	return put < 0 ? -errno : put;
}

int64_t ubdx_user_move(struct ubdx_io *io)
{
	struct ubdx_step *step = &io->step;
	bool write = io->desc->op == UBDX_OP_WRITE;
	int64_t got;

	if (step->kind == UBDX_STEP_MEM)
		return write ? ubdx_user_get(io, step->addr, step->length) :
			       ubdx_user_put(io, step->addr, step->length);
	if (write && io->buffered_bytes < io->done + step->length) {
		got = ubdx_user_get(io, io->buf + io->done, step->length);
		if (got <= 0)
			return got;
		step->length = got;
	}
	ubdx_io_rw(io, io->buf + io->done, step->length, write);
	return UBDX_ASYNC;
}

const void *ubdx_user_peek_write(struct ubdx_io *io, uint64_t length)
{
	int64_t got = ubdx_user_get(io, io->buf, length);

	if (got < (int64_t)length)
		return NULL;
	io->buffered_bytes = length;
	return io->buf;
}

int64_t ubdx_user_resume(struct ubdx_io *io, int res)
{
	if (res > 0 && io->desc->op == UBDX_OP_READ)
		return ubdx_user_put(io, io->buf + io->done, res);
	/* 0: the file ends before the device does. */
	return res ? res : -EIO;
}

const struct ubdx_strategy ubdx_strategy_user = {
	.name = "user",
	.move = ubdx_user_move,
	.resume = ubdx_user_resume,
	.peek_write = ubdx_user_peek_write,
};
