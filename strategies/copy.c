// SPDX-License-Identifier: MIT OR LGPL-2.1
/*
 * copy.c - transfer mode `copy`, the baseline: the driver copies between the request and the tag's
 * buffer, before it delivers a WRITE and when a READ is committed. The strategy moves the payload
 * between that buffer and the place that the target named.
 */
#include <errno.h>

#include "strategy.h"

static int64_t ubdx_copy_move(struct ubdx_io *io)
{
	const struct ubdx_step *step = &io->step;
	void *payload = io->buf + io->done;
	bool write = io->desc->op == UBDX_OP_WRITE;

	if (step->kind == UBDX_STEP_FILE) {
		ubdx_io_rw(io, payload, step->length, write);
		return UBDX_ASYNC;
	}

	if (write) {
		memcpy(step->addr, payload, step->length);
	} else {
		memcpy(payload, step->addr, step->length);
		ubdx_io_on_read_data(io, payload, step->length);
	}
	return step->length;
}

static int64_t ubdx_copy_resume(struct ubdx_io *io, int res)
{
	if (res > 0 && io->desc->op == UBDX_OP_READ)
		ubdx_io_on_read_data(io, io->buf + io->done, res);
	/* 0: the file ends before the device does. The READ must not get the buffer's old data. */
	return res ? res : -EIO;
}

static const void *ubdx_copy_peek_write(struct ubdx_io *io, uint64_t length)
{
	return io->buf;
}

const struct ubdx_strategy ubdx_strategy_copy = {
	.name = "copy",
	.move = ubdx_copy_move,
	.resume = ubdx_copy_resume,
	.peek_write = ubdx_copy_peek_write,
};
