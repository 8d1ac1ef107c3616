// SPDX-License-Identifier: MIT OR LGPL-2.1
/*
 * inspect.c - passes the first inspect_bytes of each payload to the target's inspect(). The
 * strategies call ubdx_inspect_read() for the data of a READ, see ubdx_io_on_read_data().
 */
#include "queue.h"

/**
 * ubdx_inspect_begin() - a request has come: compute how much of its payload the target inspects.
 * Pass that part of a WRITE to the target now, if it can be read.
 */
void ubdx_inspect_begin(struct ubdx_io *io)
{
	struct ubdx_target *target = io->q->target;
	const struct ubdx_strategy *strategy;
	uint64_t bytes = ubdx_desc_bytes(io->desc);
	const void *payload;

	io->buffered_bytes = 0;
	io->inspect_bytes = io->q->inspect_bytes < bytes ? io->q->inspect_bytes : bytes;
	if (io->desc->op > UBDX_OP_WRITE)
		io->inspect_bytes = 0;
	if (!io->inspect_bytes || io->desc->op == UBDX_OP_READ || io->desc->xfer >= UBDX_NR_XFER)
		return;
	strategy = ubdx_strategies[io->desc->xfer];
	payload = strategy ? strategy->peek_write(io, io->inspect_bytes) : NULL;
	if (payload)
		target->ops->inspect(target, io->desc, 0, payload, io->inspect_bytes);
}

/**
 * ubdx_inspect_read() - show the target the part of a READ's payload that it inspects. (@bytes,
 * @length) is the payload from io->done on.
 */
void ubdx_inspect_read(struct ubdx_io *io, const void *bytes, uint64_t length)
{
	struct ubdx_target *target = io->q->target;
	uint64_t left = io->inspect_bytes - io->done;

	target->ops->inspect(target, io->desc, io->done, bytes, length < left ? length : left);
}
