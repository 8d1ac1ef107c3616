// SPDX-License-Identifier: MIT OR LGPL-2.1
/*
 * copy.c - transfer mode `copy`: the driver copies between the request and the tag's buffer, before
 * it delivers a WRITE and when a READ is committed. Left to do here is the way between that buffer
 * and the place that the target named. The baseline.
 */
#include <errno.h>
#include <string.h>

#include "queue.h"
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
		ubdx_io_seen(io, payload, step->length);
	}
	return step->length;
}

static int64_t ubdx_copy_resume(struct ubdx_io *io, int res)
{
	if (res > 0 && io->desc->op == UBDX_OP_READ)
		ubdx_io_seen(io, io->buf + io->done, res);
	/* The file ends before the device does. What is in the buffer is not fit to be read. */
	return res ? res : -EIO;
}

static const void *ubdx_copy_look(struct ubdx_io *io, uint64_t length)
{
	return io->buf;
}

const struct ubdx_strategy ubdx_strategy_copy = {
	.name = "copy",
	.move = ubdx_copy_move,
	.resume = ubdx_copy_resume,
	.look = ubdx_copy_look,
};
