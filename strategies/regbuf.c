// SPDX-License-Identifier: MIT OR LGPL-2.1
/*
 * regbuf.c - transfer mode `regbuf`: the payload is a fixed buffer of the queue's ring, which the
 * driver registers and unregisters. I/O on a file normally uses the request's own pages. Otherwise
 * the payload is read and written as in mode `user`.
 *
 * The server can't read a READ's pages back. So the part of a READ that the target inspects takes
 * the path of mode `user`.
 */
#include <errno.h>

#include "strategy.h"

/* A multiple of this is a valid length for direct I/O to any file. */
#define BLOCK 4096

/* io->path */
enum {
	UBDX_PATH_FIXED,
	UBDX_PATH_USER,
};

static int64_t ubdx_regbuf_move(struct ubdx_io *io)
{
	struct ubdx_step *step = &io->step;
	bool write = io->desc->op == UBDX_OP_WRITE;

	io->path = UBDX_PATH_USER;
	if (step->kind != UBDX_STEP_FILE)
		return ubdx_user_move(io);
	if (unlikely(!write && io->done < io->inspect_bytes)) {
		uint64_t inspected = ubdx_round_up(io->inspect_bytes - io->done, BLOCK);

		if (step->length > inspected)
			step->length = inspected;
		return ubdx_user_move(io);
	}
	io->path = UBDX_PATH_FIXED;
	ubdx_io_rw_payload(io, step->length, write);
	return UBDX_ASYNC;
}

static int64_t ubdx_regbuf_resume(struct ubdx_io *io, int res)
{
	if (io->path == UBDX_PATH_USER)
		return ubdx_user_resume(io, res);
	/* 0: the file ends before the device does. */
	return res ? res : -EIO;
}

const struct ubdx_strategy ubdx_strategy_regbuf = {
	.name = "regbuf",
	.move = ubdx_regbuf_move,
	.resume = ubdx_regbuf_resume,
	.peek_write = ubdx_user_peek_write,
};
