// SPDX-License-Identifier: MIT OR LGPL-2.1
/*
 * forward.c - transfer mode `forward`: the server answers with extents, and the driver moves the
 * payload. A step that names a file becomes an extent of the answer if the driver can do it
 * (ubdx_forward_fits()). Other steps are done as in mode `user`.
 *
 * An answer has extents or is a byte count, never both. If the server itself moves the bytes of the
 * first step, it also moves all other bytes of the request. If the first steps have become extents
 * and a step can't become one, the answer stops there: the rest comes again as a new request.
 */
#include <errno.h>
#include <sys/mman.h>

#include "strategy.h"

static size_t ubdx_extents_bytes(const struct ubdx_queue *q)
{
	return (size_t)q->depth * UBDX_MAX_EXTENTS * sizeof(struct ubdx_extent);
}

static int ubdx_forward_init(struct ubdx_queue *q)
{
	/*
	 * Most of it is never touched. mmap() provides pages only on first use; calloc() may take
	 * heap memory and clear all of it.
	 */
	struct ubdx_extent *extents = mmap(NULL, ubdx_extents_bytes(q), PROT_READ | PROT_WRITE,
					   MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
	uint16_t tag;

	if (extents == MAP_FAILED)
		return ubdx_fail(-errno, "queue %u: memory for extents: %m", q->id);
	q->priv[UBDX_XFER_FORWARD] = extents;
	for (tag = 0; tag < q->depth; tag++)
		q->ios[tag].extents = extents + (size_t)tag * UBDX_MAX_EXTENTS;
	return 0;
}

static void ubdx_forward_exit(struct ubdx_queue *q)
{
	if (q->priv[UBDX_XFER_FORWARD])
		munmap(q->priv[UBDX_XFER_FORWARD], ubdx_extents_bytes(q));
}

/* Can the driver do this step? */
static bool ubdx_forward_fits(const struct ubdx_io *io)
{
	const struct ubdx_step *step = &io->step;
	bool write = io->desc->op == UBDX_OP_WRITE;

	if (!io->q->may_forward || step->kind != UBDX_STEP_FILE)
		return false;
	if (unlikely(io->refused && io->refused_seq == io->desc->seq))
		return false;
	/*
	 * Without FUA the driver doesn't make a WRITE stable (unless the file was opened with
	 * O_DSYNC, which isn't known here). So the server does such a DSYNC step itself.
	 */
	if (step->flags & UBDX_STEP_DSYNC && !(io->desc->flags & UBDX_DESC_FUA))
		return false;
	return write || io->done >= io->inspect_bytes;
}

static uint8_t ubdx_forward_keeps(const struct ubdx_step *step)
{
	if (likely(!(step->flags & UBDX_STEP_KEEP)))
		return 0;
	return step->flags & UBDX_STEP_KEEP_WRITES ? UBDX_COMMIT_KEEP | UBDX_COMMIT_KEEP_WRITES :
						     UBDX_COMMIT_KEEP;
}

static int64_t ubdx_forward_move(struct ubdx_io *io)
{
	struct ubdx_step *step = &io->step;

	if (unlikely((io->done && !io->nr_extents) || !ubdx_forward_fits(io)))
		return io->nr_extents ? UBDX_ENOUGH : ubdx_user_move(io);
	if (unlikely(io->nr_extents == UBDX_MAX_EXTENTS))
		return UBDX_ENOUGH;
	/* the answer's flags are for all of its extents */
	io->keep = ubdx_forward_keeps(step) & (io->nr_extents ? io->keep : UINT8_MAX);
	io->extents[io->nr_extents++] = (struct ubdx_extent){
		.offset = step->offset,
		.bytes = step->length,
		.file = step->file,
	};
	return step->length;
}

const struct ubdx_strategy ubdx_strategy_forward = {
	.name = "forward",
	.queue_init = ubdx_forward_init,
	.queue_exit = ubdx_forward_exit,
	.move = ubdx_forward_move,
	.resume = ubdx_user_resume,
	.peek_write = ubdx_user_peek_write,
};
