/* SPDX-License-Identifier: GPL-2.0 */
/*
 * chan.h - a channel: how descriptors reach the server and answers come back.
 *
 * A channel moves no payload and knows no mode. A new channel is a file with an ops table, and an
 * entry in ubdx_chan_table (chan.c). A device keeps the channel that ADD asked for.
 *
 * chan.c has what every channel needs: the choice of the channel, and ATTACH, whose parked command
 * shows that the server's ring still exists.
 */
#ifndef UBDX_CHAN_H
#define UBDX_CHAN_H

#include "dev.h"
#include "xfer.h"

/**
 * struct ubdx_chan_ops - one channel.
 * @feature:	UBDX_F_* by which ADD asks for this channel; 0: the channel when ADD asks for none.
 * @init:	allocate srvq->chan, for a new open of the channel device. Process context. Returns
 *		0 or -ENOMEM.
 * @exit:	free srvq->chan, which may be NULL. No command is parked, and nothing is published.
 * @ready:	has the server parked what @publish needs? Process context. If true, the caller sees
 *		all that the queue's task wrote before (acquire).
 * @publish:	pass a request, and those that follow by rq_next, to the server. All of them are of
 *		this queue, and their slots are QUEUED. The channel calls ubdx_describe() for each
 *		request before the server reads its descriptor. Atomic context, from queue_rq(s).
 * @uring_cmd:	a command on the channel device, other than ATTACH; by a task of any process. See
 *		struct file_operations.
 * @mmap:	map memory that the queue shares with the server. @offset: below
 *		UBDX_MMAP_QUEUE_STRIDE. Returns 0; -EINVAL for a wrong offset or length; or -EPERM
 *		for a protection that isn't allowed.
 * @wake:	complete every parked command with -ENODEV. srvq->dead is set, and no @publish is
 *		under way. All requests have ended or been requeued, except those that the server's
 *		task has claimed, those that still have users, and those in state IO. Process
 *		context.
 */
struct ubdx_chan_ops {
	u64 feature;
	int (*init)(struct ubdx_server_queue *srvq);
	void (*exit)(struct ubdx_server_queue *srvq);
	bool (*ready)(const struct ubdx_server_queue *srvq);
	void (*publish)(struct ubdx_server_queue *srvq, struct request *rq);
	int (*uring_cmd)(struct ubdx_server *srv, struct io_uring_cmd *cmd,
			 unsigned int issue_flags);
	int (*mmap)(struct ubdx_server_queue *srvq, struct vm_area_struct *vma, u64 offset);
	void (*wake)(struct ubdx_server_queue *srvq);
};

extern const struct ubdx_chan_ops ubdx_chan_uring;

/* ---- chan.c ---- */

const struct ubdx_chan_ops *ubdx_chan_find(u64 features);
u64 ubdx_chan_features(void);
int ubdx_chan_command(struct io_uring_cmd *cmd, unsigned int issue_flags);
struct ubdx_server_queue *ubdx_chan_queue(struct ubdx_server *srv, u64 qid);
int ubdx_chan_map_desc(struct ubdx_server_queue *srvq, struct vm_area_struct *vma, u64 offset);
void ubdx_chan_wake(struct ubdx_server_queue *srvq);

/* ---- commands that wait ---- */

/* Park @cmd in @place, which is empty. A full barrier. */
static inline void ubdx_park(struct io_uring_cmd **place, struct io_uring_cmd *cmd)
{
	xchg(place, cmd);
}

/* Take the command that is parked in @place, or NULL. Of several callers only one gets it. */
static inline struct io_uring_cmd *ubdx_unpark(struct io_uring_cmd **place)
{
	return xchg(place, NULL);
}

static inline void ubdx_send_back(struct io_uring_cmd **place, unsigned int issue_flags)
{
	struct io_uring_cmd *cmd = ubdx_unpark(place);

	if (cmd)
		ubdx_cmd_done(cmd, -ENODEV, issue_flags);
}

void ubdx_send_back_late(struct io_uring_cmd **place, unsigned int issue_flags);

/* Call this after ubdx_park(): an abort that ran meanwhile may not have seen the command. */
static inline void ubdx_unpark_if_dead(struct ubdx_server_queue *srvq, struct io_uring_cmd **place,
				       unsigned int issue_flags)
{
	if (unlikely(READ_ONCE(srvq->dead)))
		ubdx_send_back_late(place, issue_flags);
}

/* Was the queue bound (ATTACH) to the current task and to the ring of this command? */
static inline bool ubdx_is_attached(struct ubdx_server_queue *srvq, struct io_uring_cmd *cmd)
{
	/* if srvq->task is this task, then this task has stored both, see ubdx_chan_attach() */
	return READ_ONCE(srvq->task) == current && srvq->ring == ubdx_cmd_ctx(cmd);
}

/* ---- descriptors ---- */

static inline size_t ubdx_desc_bytes(const struct ubdx_queue *q)
{
	return PAGE_ALIGN(q->depth * sizeof(struct ubdx_desc));
}

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
 * @srvq:	queue. The channel decides when, and on which CPU, it calls this.
 * @slot:	slot, claimed by the caller, or not yet published. The request's mode is final.
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

#endif /* UBDX_CHAN_H */
