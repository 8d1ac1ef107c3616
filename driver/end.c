// SPDX-License-Identifier: GPL-2.0
/*
 * end.c - how requests end: by the server's commit, alone or in a batch; by an abort.
 *
 * The caller of ubdx_commit(), ubdx_end(), ubdx_finish() or ubdx_abort() owns the slot (slot.h). When
 * these return, the tag may belong to another request already.
 *
 * Requests end in process context, as taking pages out of a window sleeps, and with bottom halves
 * disabled. The end of a bio may drop the last reference to a file. With bottom halves disabled a
 * worker does that final fput; otherwise it would run in the server's task, and closing our own block
 * device there waits for the server.
 */
#include <linux/blk-mq.h>
#include <linux/sched/signal.h>

#include "chan.h"
#include "stage.h"
#include "xfer.h"

/*
 * Requests that are committed in one go end in one go, unless that keeps their submitters waiting:
 * copying a READ's payload takes time, so after this much of it what has been served ends.
 */
#define UBDX_BATCH_BYTES SZ_64K

/* End the requests in the batch. By the server's task, or by an abort after its grace period. */
static void ubdx_end_batch(struct ubdx_server_queue *sq)
{
	if (!rq_list_empty(&sq->batch.req_list))
		blk_mq_end_request_batch(&sq->batch);
	sq->batch.need_ts = false;
	if (unlikely(sq->nr_done))
		ubdx_trace_batch(sq);
}

/*
 * The batch is the server's task's as long as that doesn't see sq->dead. Bottom halves are
 * disabled, which makes this an RCU read-side critical section: an abort waits for it before it
 * takes what is left.
 */
static __always_inline bool ubdx_join_batch(struct ubdx_server_queue *sq, struct request *rq,
					    bool more, const struct ubdx_trace_done *done)
{
	if (unlikely(READ_ONCE(sq->dead)) || (!more && rq_list_empty(&sq->batch.req_list)))
		return false;
	if (done && sq->nr_done == ARRAY_SIZE(sq->done))
		return false;
	/* the tick reads it if the list isn't empty */
	if (rq_list_empty(&sq->batch.req_list))
		WRITE_ONCE(sq->batch_start, sq->q->slots[rq->tag].start);
	if (!blk_mq_add_to_batch(rq, &sq->batch, false, blk_mq_end_request_batch))
		return false;
	if (done)
		sq->done[sq->nr_done++] = *done;
	return true;
}

static void ubdx_leave_batch(struct ubdx_server_queue *sq)
{
	sq->batch_moved = 0;
	if (!rq_list_empty(&sq->batch.req_list) && likely(!READ_ONCE(sq->dead)))
		ubdx_end_batch(sq);
}

/**
 * ubdx_end_waiting - end the requests in the batch.
 * @sq:		queue; the caller is its task.
 *
 * Called when a commit ends no request or is about to block.
 */
void ubdx_end_waiting(struct ubdx_server_queue *sq)
{
	local_bh_disable();
	ubdx_leave_batch(sq);
	local_bh_enable();
}

static __always_inline bool ubdx_is_whole(struct request *rq, struct ubdx_result result)
{
	return !result.status && result.bytes == blk_rq_bytes(rq);
}

/* With bottom halves disabled. */
static __always_inline void ubdx_end_request(struct request *rq, struct ubdx_result result)
{
	if (unlikely(result.status)) {
		blk_mq_end_request(rq, result.status);
	} else if (unlikely(result.bytes < blk_rq_bytes(rq))) {
		blk_update_request(rq, BLK_STS_OK, result.bytes);
		blk_mq_requeue_request(rq, true);
	} else {
		blk_mq_end_request(rq, BLK_STS_OK);
	}
}

static void ubdx_end_alone(struct ubdx_slot *slot, struct ubdx_result result)
{
	struct request *rq = ubdx_slot_vacate(slot);

	local_bh_disable();
	ubdx_end_request(rq, result);
	local_bh_enable();
}

/* @done: trace record or NULL; kept by the batch if this returns true. */
static __always_inline bool ubdx_end_in_batch(struct ubdx_server_queue *sq, struct ubdx_slot *slot,
					      struct ubdx_result result, bool more,
					      const struct ubdx_trace_done *done)
{
	struct request *rq = ubdx_slot_vacate(slot);
	bool joined;

	if (unlikely(sq->batch_moved >= UBDX_BATCH_BYTES))
		more = false;
	local_bh_disable();
	joined = likely(ubdx_is_whole(rq, result)) && ubdx_join_batch(sq, rq, more, done);
	if (!joined)
		ubdx_end_request(rq, result);
	if (!more)
		ubdx_leave_batch(sq);
	local_bh_enable();
	return joined;
}

static void ubdx_release(struct ubdx_queue *q, struct ubdx_slot *slot)
{
	if (likely(!slot->exposed))
		return;
	slot->xfer->release(q, slot);
	slot->exposed = NULL;
}

/*
 * The trace record is filled in before the request ends, and emitted after. @sq: the queue whose batch
 * the request may join, or NULL. @released: its pages have just been unmapped.
 */
static noinline void ubdx_end_traced(struct ubdx_queue *q, struct ubdx_server_queue *sq,
				     struct ubdx_slot *slot, struct ubdx_result result, bool more,
				     bool released)
{
	struct ubdx_trace_done done;

	ubdx_stage_released(q, slot,
			    released || (slot->xfer->commit_copies && slot->op == UBDX_OP_READ));
	ubdx_trace_fill(&done, q, slot, result);
	if (sq && ubdx_end_in_batch(sq, slot, result, more, &done))
		return;
	if (!sq)
		ubdx_end_alone(slot, result);
	ubdx_trace_emit(&done);
}

/* Back to blk-mq, where it waits for another server. */
static void ubdx_requeue(struct ubdx_queue *q, struct ubdx_slot *slot)
{
	this_cpu_inc(q->counts->reissued);
	blk_mq_requeue_request(ubdx_slot_vacate(slot), true);
}

/**
 * ubdx_end - end a request, or the part of it that was served.
 * @q:		queue.
 * @slot:	slot, claimed by the caller, who loses it, and without users.
 * @result:	outcome.
 */
void ubdx_end(struct ubdx_queue *q, struct ubdx_slot *slot, struct ubdx_result result)
{
	bool exposed = slot->exposed;

	ubdx_release(q, slot);
	if (unlikely(result.requeue))
		ubdx_requeue(q, slot);
	else if (static_branch_unlikely(&ubdx_traced))
		ubdx_end_traced(q, NULL, slot, result, false, exposed);
	else
		ubdx_end_alone(slot, result);
}

/**
 * ubdx_finish - end a request that may have users, now or when the last of them is gone.
 * @q:		queue.
 * @slot:	slot, claimed by the caller, who loses it.
 * @result:	outcome.
 */
void ubdx_finish(struct ubdx_queue *q, struct ubdx_slot *slot, struct ubdx_result result)
{
	slot->result = result;
	if (!ubdx_slot_leave(slot))
		ubdx_end(q, slot, result);
}

/**
 * ubdx_abort - a request's server is gone: end it, or keep it for the next one.
 * @q:		queue.
 * @slot:	slot, claimed by the caller, who loses it.
 * @delivered:	the server knows of it.
 */
void ubdx_abort(struct ubdx_queue *q, struct ubdx_slot *slot, bool delivered)
{
	bool late = ubdx_is_late(q, slot);

	if (READ_ONCE(q->dev->recovers) &&
	    (!delivered || q->dev->params.recovery == UBDX_RECOVERY_REISSUE)) {
		ubdx_finish(q, slot, (struct ubdx_result){ .requeue = true });
		return;
	}
	this_cpu_inc(q->counts->aborted);
	ubdx_finish(q, slot,
		    (struct ubdx_result){ .status = late ? BLK_STS_TIMEOUT : BLK_STS_IOERR });
}

/* End the requests in a dead server's batch. None joins it any more. */
void ubdx_abort_batch(struct ubdx_server_queue *sq)
{
	local_bh_disable(); /* as for all ends, see above */
	ubdx_end_batch(sq);
	local_bh_enable();
}

/* Abort every request of the queue that nobody has claimed. None is published any more. */
void ubdx_abort_queue(struct ubdx_queue *q)
{
	u16 tag;

	for (tag = 0; tag < q->depth; tag++) {
		struct ubdx_slot *slot = &q->slots[tag];
		u32 seq = ubdx_slot_seq(slot);

		if (ubdx_slot_claim(slot, seq, UBDX_SLOT_QUEUED))
			ubdx_abort(q, slot, false);
		else if (ubdx_slot_claim(slot, seq, UBDX_SLOT_SERVER))
			ubdx_abort(q, slot, true);
	}
}

/* The errors that a server may return. Others have a meaning inside the block layer. */
static blk_status_t ubdx_status(s32 res)
{
	blk_status_t status = res < -MAX_ERRNO ? BLK_STS_IOERR : errno_to_blk_status(res);

	switch (status) {
	case BLK_STS_NOTSUPP:
	case BLK_STS_TIMEOUT:
	case BLK_STS_NOSPC:
	case BLK_STS_TRANSPORT:
	case BLK_STS_TARGET:
	case BLK_STS_MEDIUM:
	case BLK_STS_PROTECTION:
		return status;
	default:
		return BLK_STS_IOERR;
	}
}

/*
 * Turn the server's answer into a result, and move a READ's payload. Returns false if the request has
 * been aborted: it isn't the caller's any more.
 *
 * A short answer counts in whole logical blocks, and nothing that the server did not fill reaches a
 * reader. No progress at all is an error, so that a request can't come back forever.
 */
static __always_inline bool ubdx_settle(struct ubdx_server_queue *sq, struct ubdx_slot *slot,
					s32 res, struct ubdx_result *result)
{
	struct ubdx_queue *q = sq->q;
	unsigned int bytes = blk_rq_bytes(slot->rq);
	struct ubdx_counter __percpu *counter;

	if (unlikely(res < 0))
		goto failed;

	if (ubdx_slot_has_payload(slot)) {
		if (unlikely(res > bytes)) {
			res = -EIO;
			goto failed;
		}
		if (slot->xfer->commit) {
			res = slot->xfer->commit(sq, slot, res);
			if (unlikely(res == -ENODEV))
				return false;
		}
		if (likely(res > 0))
			res &= ~q->block_mask;
		if (unlikely(res <= 0)) {
			res = res ?: -EIO;
			goto failed;
		}
		bytes = res;
		if (slot->xfer->commit_copies && slot->op == UBDX_OP_READ)
			sq->batch_moved += bytes;
	} else if (unlikely(res)) {
		res = -EIO;
		goto failed;
	}

	counter = &q->counts->done[slot->xfer->mode][slot->op];
	this_cpu_inc(counter->requests);
	this_cpu_add(counter->bytes, bytes);
	*result = (struct ubdx_result){ .bytes = bytes };
	return true;

failed:
	if (fatal_signal_pending(current)) {
		/* It may have failed for that: the answer doesn't count. */
		ubdx_server_fail(sq->srv);
		ubdx_abort(q, slot, true);
		return false;
	}
	this_cpu_inc(q->counts->failed);
	*result = (struct ubdx_result){ .status = ubdx_status(res) };
	return true;
}

/* No users are left. */
static __always_inline void ubdx_end_commit(struct ubdx_server_queue *sq, struct ubdx_slot *slot,
					    struct ubdx_result result, bool more)
{
	bool exposed = slot->exposed;

	/* no room to tell of more */
	if (static_branch_unlikely(&ubdx_traced) && sq->nr_done >= ARRAY_SIZE(sq->done) - 1)
		more = false;
	ubdx_release(sq->q, slot);
	if (static_branch_unlikely(&ubdx_traced))
		ubdx_end_traced(sq->q, sq, slot, result, more, exposed);
	else
		ubdx_end_in_batch(sq, slot, result, more, NULL);
}

/**
 * ubdx_commit - end a request with the server's result. The tag's next command has been parked.
 * @sq:		queue; this is its task.
 * @slot:	slot, claimed by the caller, who loses it.
 * @res:	what the server said: bytes or -errno, see struct ubdx_commit. Not trusted.
 * @more:	another commit follows at once.
 *
 * If the request has users, the last of them ends it.
 */
void ubdx_commit(struct ubdx_server_queue *sq, struct ubdx_slot *slot, s32 res, bool more)
{
	struct ubdx_result result;

	if (unlikely(!ubdx_settle(sq, slot, res, &result))) {
		ubdx_end_waiting(sq);
	} else if (unlikely(ubdx_slot_used(slot))) {
		ubdx_finish(sq->q, slot, result);
		if (!more)
			ubdx_end_waiting(sq);
	} else {
		ubdx_end_commit(sq, slot, result, more);
	}
}
