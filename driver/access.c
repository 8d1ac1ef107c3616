// SPDX-License-Identifier: GPL-2.0
/*
 * access.c - users of a request (slot.h), and pread and pwrite of its payload on the channel, in
 * the modes that allow that. A position names queue, tag, request and byte, see ubdx_pos().
 *
 * A request doesn't end while it has users, so a user must be quick: if the caller's memory isn't
 * present (payload.h), the caller stops being a user, faults the memory in, and becomes a user
 * again.
 *
 * Any task of the process that opened the channel can make these calls at any time, not only the
 * queue's task. Every part of the position is checked, and slot->rq is not read before the caller
 * is a user.
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
/* neither a position nor the end of a read that starts there is negative */
static_assert(UBDX_POS_SEQ_SHIFT + UBDX_POS_SEQ_BITS < 63);

/* ---- users ---- */

/**
 * ubdx_use_find - find the request that a position names.
 * @srv:	server.
 * @pos:	position.
 * @use:	out. The request can end at any time before ubdx_use_begin().
 *
 * Returns 0; -EPERM if the caller isn't the server; -EINVAL if there is no such queue or tag; or
 * -ESTALE if the tag holds another request.
 */
int ubdx_use_find(struct ubdx_server *srv, u64 pos, struct ubdx_use *use)
{
	u32 qid = UBDX_POS_FIELD(pos, UBDX_POS_QUEUE_SHIFT, UBDX_POS_QUEUE_BITS);
	u32 tag = UBDX_POS_FIELD(pos, UBDX_POS_TAG_SHIFT, UBDX_POS_TAG_BITS);
	struct ubdx_queue *q;

	if (current->mm != srv->mm)
		return -EPERM;
	if (qid >= srv->nr_queues || pos >> (UBDX_POS_SEQ_SHIFT + UBDX_POS_SEQ_BITS))
		return -EINVAL;
	q = srv->queues[array_index_nospec(qid, srv->nr_queues)]->q;
	if (tag >= q->depth)
		return -EINVAL;
	use->slot = &q->slots[array_index_nospec(tag, q->depth)];
	use->offset = UBDX_POS_FIELD(pos, 0, UBDX_POS_OFFSET_BITS);
	use->seq = ubdx_slot_seq(use->slot);
	if ((use->seq ^ (u32)(pos >> UBDX_POS_SEQ_SHIFT)) & ((1U << UBDX_POS_SEQ_BITS) - 1))
		return -ESTALE;
	return 0;
}

/**
 * ubdx_use_begin - become a user of a request; ubdx_use_end() follows soon.
 * @srv:	server.
 * @use:	the request, from ubdx_use_find().
 * @op:		the operation that it must have.
 * @access:	UBDX_ACCESS_* that its mode must allow.
 *
 * A request in state SERVER belongs to this server, unless this server is dead: then the request
 * may be a later server's. A dead server must never be a user of such a request, not even for a
 * moment: it could be the last user, and would then end the request. Ending the request unmaps its
 * pages from the windows of slot->mapped_by: the later server, which may have been freed by then.
 * So this function checks srvq->dead and takes the user reference inside one RCU read-side section,
 * like ubdx_slot_pass().
 *
 * Returns 0; -ENODEV if the server is dead; -ESTALE if the request isn't at the server; -EINVAL if
 * it has another operation; -EOPNOTSUPP if its mode doesn't allow @access.
 */
int ubdx_use_begin(struct ubdx_server *srv, struct ubdx_use *use, u8 op, u8 access)
{
	struct ubdx_slot *slot = use->slot;
	struct ubdx_server_queue *srvq = srv->queues[slot->q->qid];
	bool got;
	int ret;

	rcu_read_lock();
	got = !READ_ONCE(srvq->dead) && ubdx_slot_get(slot, use->seq);
	rcu_read_unlock();
	if (unlikely(!got))
		return READ_ONCE(srvq->dead) ? -ENODEV : -ESTALE;
	if (unlikely(slot->op != op))
		ret = -EINVAL;
	else if (unlikely(!(READ_ONCE(slot->xfer)->access & access)))
		ret = -EOPNOTSUPP;
	else
		return 0;
	ubdx_use_end(use);
	return ret;
}

/**
 * ubdx_use_end - stop being a user. The last user of an ENDING request ends it here.
 * @use:	the request.
 *
 * Process context.
 */
void ubdx_use_end(struct ubdx_use *use)
{
	if (likely(!ubdx_slot_put(use->slot)))
		return;
	ubdx_end(use->slot, use->slot->result);
}

/* ---- read and write ---- */

/*
 * Copy as much as possible without a page fault. @left: out: how many bytes of the request follow
 * the copied ones.
 */
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
	ubdx_count_moved(use->slot, UBDX_MOVED_COPIED, ret);
	ubdx_use_end(use);
	return ret;
}

static ssize_t ubdx_access(struct kiocb *iocb, struct iov_iter *iter, u8 op)
{
	struct ubdx_server *srv = iocb->ki_filp->private_data;
	size_t done = 0, left = 0;
	unsigned int in_vain = 0;
	struct ubdx_use use;
	ssize_t ret;

	ret = ubdx_use_find(srv, iocb->ki_pos, &use);
	while (likely(!ret)) {
		ret = ubdx_access_some(srv, &use, op, use.offset + done, iter, &left);
		if (unlikely(ret < 0))
			break;
		if (ret)
			in_vain = 0;
		done += ret;
		ret = 0;
		if (likely(!left || !iov_iter_count(iter)))
			break;
		ret = ubdx_fault_in(op == UBDX_OP_WRITE, iter, min(left, iov_iter_count(iter)),
				    in_vain++);
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

	/* A writer that gets 0 for a positive length would try for ever. */
	return ret || !asked ? ret : -ENOSPC;
}
