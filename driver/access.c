// SPDX-License-Identifier: GPL-2.0
/*
 * access.c - a request's payload, reached from outside: by read and write on the channel, in every
 * mode that lets it. A position names queue, tag, request and byte, see ubdx_pos().
 *
 * Whoever is at it is a user of the request (dev.h), which holds the request's end back. So it must
 * not be for long: if the caller's memory isn't there (payload.h) it lets go of the request, faults
 * that in, and asks for the request again.
 *
 * Any task of the process that opened the channel may come, not only the queue's, and at any time.
 * Everything that the position says is checked, and nothing of the slot is read before it is held.
 */
#include <linux/fs.h>
#include <linux/nospec.h>

#include "payload.h"
#include "stage.h"
#include "xfer.h"

#define UBDX_POS_FIELD(pos, shift, bits) ((u32)((pos) >> (shift)) & ((1U << (bits)) - 1))
#define UBDX_POS_TAG_SHIFT UBDX_POS_OFFSET_BITS
#define UBDX_POS_QUEUE_SHIFT (UBDX_POS_TAG_SHIFT + UBDX_POS_TAG_BITS)
#define UBDX_POS_SEQ_SHIFT (UBDX_POS_QUEUE_SHIFT + UBDX_POS_QUEUE_BITS)

static_assert(UBDX_MAX_IO_BYTES < 1U << UBDX_POS_OFFSET_BITS);
static_assert(UBDX_MAX_DEPTH <= 1U << UBDX_POS_TAG_BITS);
static_assert(UBDX_MAX_QUEUES <= 1U << UBDX_POS_QUEUE_BITS);
/* a position is not negative, and neither is the end of the longest read from one */
static_assert(UBDX_POS_SEQ_SHIFT + UBDX_POS_SEQ_BITS < 63);

/* ---- users ---- */

/**
 * ubdx_use_find - which request is meant?
 * @srv:	server.
 * @pos:	position.
 * @use:	out. The request may be gone at any time until ubdx_use_begin().
 */
int ubdx_use_find(struct ubdx_server *srv, u64 pos, struct ubdx_use *use)
{
	u32 qid = UBDX_POS_FIELD(pos, UBDX_POS_QUEUE_SHIFT, UBDX_POS_QUEUE_BITS);
	u32 tag = UBDX_POS_FIELD(pos, UBDX_POS_TAG_SHIFT, UBDX_POS_TAG_BITS);

	if (current->mm != srv->mm)
		return -EPERM;
	if (qid >= srv->nr_queues || pos >> (UBDX_POS_SEQ_SHIFT + UBDX_POS_SEQ_BITS))
		return -EINVAL;
	use->q = srv->queues[array_index_nospec(qid, srv->nr_queues)]->q;
	if (tag >= use->q->depth)
		return -EINVAL;
	use->slot = &use->q->slots[array_index_nospec(tag, use->q->depth)];
	use->offset = UBDX_POS_FIELD(pos, 0, UBDX_POS_OFFSET_BITS);
	use->seq = ubdx_slot_seq(use->slot);
	if ((use->seq ^ (u32)(pos >> UBDX_POS_SEQ_SHIFT)) & ((1U << UBDX_POS_SEQ_BITS) - 1))
		return -ESTALE;
	return 0;
}

/**
 * ubdx_use_begin - become a user of a request; ubdx_use_end() follows soon.
 * @srv:	server.
 * @use:	which.
 * @op:		what it must be.
 * @access:	UBDX_ACCESS_*, which its mode must allow.
 *
 * A request that is at the server is this server's, unless that is dead: what the next one has got
 * comes later than that. Not even for a moment may the dead be a user of that: they could be the last,
 * and end it when its own server is no more. So this is a section like ubdx_slot_pass().
 */
int ubdx_use_begin(struct ubdx_server *srv, struct ubdx_use *use, u8 op, u8 access)
{
	struct ubdx_server_queue *srvq = srv->queues[use->q->qid];
	struct ubdx_slot *slot = use->slot;
	bool got;
	int ret;

	rcu_read_lock();
	got = !READ_ONCE(srvq->dead) && ubdx_slot_get(slot, use->seq);
	rcu_read_unlock();
	if (unlikely(!got))
		return READ_ONCE(srvq->dead) ? -ENODEV : -ESTALE;
	if (unlikely(slot->op != op))
		ret = -EINVAL;
	else if (unlikely(!(slot->xfer->access & access)))
		ret = -EOPNOTSUPP;
	else
		return 0;
	ubdx_use_end(use);
	return ret;
}

/**
 * ubdx_use_end - be its user no longer. Whose commit or abort waited for this is ended here.
 * @use:	which.
 *
 * Process context.
 */
void ubdx_use_end(struct ubdx_use *use)
{
	if (likely(!ubdx_slot_put(use->slot)))
		return;
	ubdx_end(use->q, use->slot, use->slot->result);
}

/* ---- read and write ---- */

/* Copy what can be copied at once. @left: what the request has after that. */
static ssize_t ubdx_access_some(struct ubdx_server *srv, struct ubdx_use *use, u8 op, size_t offset,
				struct iov_iter *iter, size_t *left)
{
	ssize_t ret = ubdx_use_begin(srv, use, op, UBDX_ACCESS_BYTES);
	struct request *rq;
	size_t bytes;

	if (unlikely(ret))
		return ret;
	rq = use->slot->rq;
	bytes = blk_rq_bytes(rq);
	if (offset < bytes)
		ret = op == UBDX_OP_WRITE ? ubdx_payload_copy(rq, offset, iov_iter_count(iter),
							      iter, ubdx_to_iter) :
					    ubdx_payload_copy(rq, offset, iov_iter_count(iter),
							      iter, ubdx_from_iter);
	*left = bytes - min(bytes, offset + ret);
	ubdx_moved(use->q, use->slot, UBDX_MOVED_COPIED, ret);
	ubdx_use_end(use);
	return ret;
}

static ssize_t ubdx_access(struct kiocb *iocb, struct iov_iter *iter, u8 op)
{
	struct ubdx_server *srv = iocb->ki_filp->private_data;
	size_t done = 0, left = 0;
	unsigned int idle = 0;
	struct ubdx_use use;
	ssize_t ret;

	ret = ubdx_use_find(srv, iocb->ki_pos, &use);
	while (likely(!ret)) {
		ret = ubdx_access_some(srv, &use, op, use.offset + done, iter, &left);
		if (unlikely(ret < 0))
			break;
		if (ret)
			idle = 0;
		done += ret;
		ret = 0;
		if (likely(!left || !iov_iter_count(iter)))
			break;
		ret = ubdx_fault_in(op == UBDX_OP_WRITE, iter, min(left, iov_iter_count(iter)),
				    idle++);
	}
	iocb->ki_pos += done;
	return done ?: ret;
}

ssize_t ubdx_access_read(struct kiocb *iocb, struct iov_iter *to)
{
	return ubdx_access(iocb, to, UBDX_OP_WRITE);
}

ssize_t ubdx_access_write(struct kiocb *iocb, struct iov_iter *from)
{
	size_t asked = iov_iter_count(from);
	ssize_t ret = ubdx_access(iocb, from, UBDX_OP_READ);

	/* Nobody who writes expects 0 for more than that. */
	return ret || !asked ? ret : -ENOSPC;
}
