/* SPDX-License-Identifier: GPL-2.0 */
/*
 * chan.h - a channel: how descriptors reach the server and answers come back.
 *
 * A channel moves no payload and knows no mode. Adding one is a file with an ops table.
 */
#ifndef UBDX_CHAN_H
#define UBDX_CHAN_H

#include "dev.h"
#include "xfer.h"

/**
 * struct ubdx_chan_ops - one channel.
 * @publish:	hand a request, and those that follow by rq_next, to the server (all of this queue,
 *		their slots QUEUED), and see to it that ubdx_describe() is called for each before
 *		the server looks. Atomic context, from queue_rq(s).
 * @uring_cmd:	a command on the channel device, see struct file_operations.
 * @wake:	srvq->dead is set, its requests have ended, but for those that its task is dealing with, and no
 *		publish is under way: tell the server, that is, complete every parked command. Process
 *		context.
 */
struct ubdx_chan_ops {
	void (*publish)(struct ubdx_server_queue *srvq, struct request *rq);
	int (*uring_cmd)(struct ubdx_server *srv, struct io_uring_cmd *cmd,
			 unsigned int issue_flags);
	void (*wake)(struct ubdx_server_queue *srvq);
};

static inline u32 ubdx_desc_flags(const struct request *rq)
{
	u32 flags = 0;

	if (likely(!(rq->cmd_flags & (REQ_FUA | REQ_NOUNMAP | REQ_META))))
		return 0;
	if (rq->cmd_flags & REQ_FUA)
		flags |= UBDX_DESC_FUA;
	if (rq->cmd_flags & REQ_NOUNMAP)
		flags |= UBDX_DESC_NOUNMAP;
	if (rq->cmd_flags & REQ_META)
		flags |= UBDX_DESC_META;
	return flags;
}

/**
 * ubdx_describe - write the descriptor of a request.
 * @srvq:		queue; its channel decides when, and on whose CPU.
 * @slot:	slot, claimed by the caller, or not yet published.
 */
static inline void ubdx_describe(struct ubdx_server_queue *srvq, struct ubdx_slot *slot)
{
	struct request *rq = slot->rq;
	struct ubdx_desc *desc = &srvq->desc[rq->tag];

	desc->sector = ubdx_sector(rq);
	desc->nr_sectors = blk_rq_sectors(rq);
	desc->seq = ubdx_slot_seq(slot);
	desc->op = slot->op;
	desc->xfer = slot->xfer->mode;
	desc->page_offset = slot->page_offset;
	desc->flags = ubdx_desc_flags(rq);
}

extern const struct ubdx_chan_ops ubdx_chan_uring;

#endif /* UBDX_CHAN_H */
