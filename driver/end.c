// SPDX-License-Identifier: GPL-2.0
/*
 * end.c - how requests end: by the server's commit, alone or in a batch; with the driver's own I/O;
 * or by an abort.
 *
 * The caller of ubdx_commit(), ubdx_end(), ubdx_finish() or ubdx_abort() owns the slot
 * (slot.h). When these return, the tag may belong to another request already.
 *
 * Mapped requests end in process context, because unmapping a window can sleep. Forwarded requests,
 * which were unmapped before, can end in any context. In process context bottom halves are disabled
 * while blk-mq ends requests: the end of a bio may drop the last reference to a file, and with
 * bottom halves disabled a worker does the final fput. The server's task must not do the final
 * fput: if the file is our own block device, closing it waits for the server.
 */
#include <linux/blk-mq.h>
#include <linux/file.h>
#include <linux/sched/signal.h>

#include "chan.h"
#include "extents.h"
#include "forward.h"
#include "stage.h"
#include "xfer.h"

/*
 * The committed requests of one submission end together, as a batch: that is cheaper. A batch ends
 *	- with a commit that lacks UBDX_COMMIT_MORE, unless the command fails, or the request has
 *	  users or is retried;
 *	- after UBDX_BATCH_REQUESTS or UBDX_BATCH_BYTES, which bound the time with bottom halves
 *	  disabled;
 *	- after UBDX_BATCH_COPIED, which bounds how long the batch's first request waits for
 *	  copies; or
 *	- when the task leaves the submission or sleeps in it. The batch is a callback
 *	  (ubdx_batch_unplug()) of the plug that io_uring starts for a submission of more than two
 *	  SQEs. A shorter submission has no batch.
 * So only the server's task handles its batch, and an abort doesn't touch it.
 */
/*
 * Ending requests of this length takes about 100 us with 4 KiB pages, because each page of a direct
 * I/O is unpinned.
 */
#define UBDX_BATCH_BYTES (4 * UBDX_MAX_IO_BYTES)
#define UBDX_BATCH_COPIED SZ_64K

static bool ubdx_batch_is_full(const struct ubdx_batch *batch)
{
	return batch->nr >= UBDX_BATCH_REQUESTS || batch->bytes >= UBDX_BATCH_BYTES ||
	       batch->copied >= UBDX_BATCH_COPIED;
}

static void ubdx_batch_end(struct ubdx_batch *batch)
{
	batch->copied = 0;
	if (!batch->nr)
		return;
	batch->nr = 0;
	batch->bytes = 0;
	local_bh_disable();
	blk_mq_end_request_batch(&batch->iob);
	local_bh_enable();
	batch->iob.need_ts = false;
	if (unlikely(batch->nr_done))
		ubdx_trace_batch(batch);
}

/* @from_schedule: the task is about to sleep. Its state is set already, so this must not sleep. */
static void ubdx_batch_unplug(struct blk_plug_cb *cb, bool from_schedule)
{
	struct ubdx_batch *batch = container_of(cb, struct ubdx_batch, plug);
	struct file *file = cb->data;

	cb->data = NULL;
	ubdx_batch_end(batch);
	fput(file);
}

/*
 * Make sure that the batch ends with this submission. Returns false if the submission has no plug.
 */
static __always_inline bool ubdx_batch_plug(struct ubdx_server_queue *srvq)
{
	struct blk_plug_cb *cb = &srvq->batch.plug;
	struct blk_plug *plug = current->plug;

	if (likely(cb->data))
		return true;
	if (!plug)
		return false;
	/* The submission may close the channel, but the batch must live until the callback runs. */
	cb->data = get_file(srvq->srv->file);
	cb->callback = ubdx_batch_unplug;
	list_add(&cb->list, &plug->cb_list);
	return true;
}

/* Returns true if the request joined the batch. @done: trace record, which is copied; or NULL. */
static __always_inline bool ubdx_batch_add(struct ubdx_server_queue *srvq, struct request *rq,
					   const struct ubdx_trace_done *done)
{
	struct ubdx_batch *batch = &srvq->batch;
	unsigned int bytes = blk_rq_bytes(rq);

	if (!ubdx_batch_plug(srvq) ||
	    !blk_mq_add_to_batch(rq, &batch->iob, false, blk_mq_end_request_batch))
		return false;
	batch->nr++;
	batch->bytes += bytes;
	if (done)
		batch->done[batch->nr_done++] = *done;
	return true;
}

static __always_inline bool ubdx_is_whole(struct request *rq, struct ubdx_result result)
{
	return !result.status && result.bytes == blk_rq_bytes(rq);
}

/* The caller has disabled bottom halves, or interrupts are disabled. */
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

/* The request leaves its slot. The caller still owns the request, and must end it. */
static __always_inline struct request *ubdx_take_out(struct ubdx_slot *slot, unsigned int bytes)
{
	if (unlikely(slot->q->front))
		ubdx_front_end(slot, bytes);
	return ubdx_slot_vacate(slot);
}

static void ubdx_end_alone(struct ubdx_slot *slot, struct ubdx_result result)
{
	struct request *rq = ubdx_take_out(slot, result.bytes);
	bool may_disable = !in_hardirq() && !irqs_disabled();

	if (likely(may_disable))
		local_bh_disable();
	ubdx_end_request(rq, result);
	if (likely(may_disable))
		local_bh_enable();
}

/* As ubdx_batch_add(), but a request that doesn't join the batch ends at once. */
static __always_inline bool ubdx_end_in_batch(struct ubdx_server_queue *srvq,
					      struct ubdx_slot *slot, struct ubdx_result result,
					      bool more, const struct ubdx_trace_done *done)
{
	struct request *rq = ubdx_take_out(slot, result.bytes);
	bool joined = likely(ubdx_is_whole(rq, result)) && (more || srvq->batch.nr) &&
		      ubdx_batch_add(srvq, rq, done);

	if (!joined) {
		local_bh_disable();
		ubdx_end_request(rq, result);
		local_bh_enable();
	}
	if (!more || ubdx_batch_is_full(&srvq->batch))
		ubdx_batch_end(&srvq->batch);
	return joined;
}

static void ubdx_unmap(struct ubdx_slot *slot)
{
	if (likely(!slot->mapped_by))
		return;
	slot->xfer->unmap(slot);
	slot->mapped_by = NULL;
}

/*
 * Fill in the trace record, end the request, and emit the record. @srvq: the queue whose batch the
 * request may join, or NULL. @unmapped: the request's pages have just been unmapped.
 */
static noinline void ubdx_end_traced(struct ubdx_server_queue *srvq, struct ubdx_slot *slot,
				     struct ubdx_result result, bool more, bool unmapped)
{
	bool moved = ubdx_slot_has_payload(slot) && slot->xfer->commit[slot->op];
	struct ubdx_trace_done done;

	ubdx_stage_released(slot->q, slot, unmapped || moved);
	ubdx_trace_fill(&done, slot->q, slot, result);
	if (srvq && ubdx_end_in_batch(srvq, slot, result, more, &done))
		return;
	if (!srvq)
		ubdx_end_alone(slot, result);
	ubdx_trace_emit(&done);
}

/* Back to blk-mq: the request waits for another server, or for memory. */
static void ubdx_requeue(struct ubdx_slot *slot, bool retry)
{
	struct ubdx_queue *q = slot->q;
	struct request *rq = ubdx_take_out(slot, 0);
	struct request_queue *queue = rq->q;

	if (retry)
		this_cpu_inc(q->counts->retried);
	else
		this_cpu_inc(q->counts->reissued);
	blk_mq_requeue_request(rq, false);
	blk_mq_delay_kick_requeue_list(queue, retry ? UBDX_RETRY_MS : 0);
}

/**
 * ubdx_end - end a request, or the part of it that was served; or requeue the request.
 * @slot:	slot without users, claimed by the caller or in state IO. The caller loses the slot.
 * @result:	outcome.
 */
void ubdx_end(struct ubdx_slot *slot, struct ubdx_result result)
{
	bool unmapped = slot->mapped_by;

	ubdx_unmap(slot);
	if (unlikely(result.requeue || result.retry))
		ubdx_requeue(slot, result.retry);
	else if (static_branch_unlikely(&ubdx_traced))
		ubdx_end_traced(NULL, slot, result, false, unmapped);
	else
		ubdx_end_alone(slot, result);
}

/**
 * ubdx_finish - end a request that may have users: now, or when its last user is gone.
 * @slot:	slot, claimed by the caller. The caller loses the slot.
 * @result:	outcome.
 */
void ubdx_finish(struct ubdx_slot *slot, struct ubdx_result result)
{
	slot->result = result;
	if (!ubdx_slot_leave(slot, UBDX_SLOT_CLAIMED))
		ubdx_end(slot, result);
}

/**
 * ubdx_abort - a request's server has failed: end the request, or keep it for the next server.
 * @slot:	slot, claimed by the caller. The caller loses the slot.
 * @delivered:	the server knows of the request.
 */
void ubdx_abort(struct ubdx_slot *slot, bool delivered)
{
	struct ubdx_queue *q = slot->q;
	bool late = ubdx_is_late(slot);

	if (READ_ONCE(q->dev->recovers) &&
	    (!delivered || q->dev->params.recovery == UBDX_RECOVERY_REISSUE)) {
		ubdx_finish(slot, (struct ubdx_result){ .requeue = true });
		return;
	}
	this_cpu_inc(q->counts->aborted);
	ubdx_finish(slot, (struct ubdx_result){ .status = late ? BLK_STS_TIMEOUT : BLK_STS_IOERR });
}

/*
 * Abort every QUEUED or SERVER request of the queue. The caller makes sure that none is published
 * any more.
 */
void ubdx_abort_queue(struct ubdx_queue *q)
{
	u16 tag;

	for (tag = 0; tag < q->depth; tag++) {
		struct ubdx_slot *slot = &q->slots[tag];
		u32 seq = ubdx_slot_seq(slot);

		cond_resched();
		if (ubdx_slot_claim(slot, seq, UBDX_SLOT_QUEUED))
			ubdx_abort(slot, false);
		else if (ubdx_slot_claim(slot, seq, UBDX_SLOT_SERVER))
			ubdx_abort(slot, true);
	}
}

/*
 * Only these errors, of a server or of the driver's own I/O, are passed on. All others become EIO,
 * because some of them have a meaning inside the block layer.
 */
blk_status_t ubdx_status(s32 res)
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
 * The result of a request that the server or the driver could not serve. If the server doesn't
 * support DISCARD or WRITE_ZEROES, the block layer issues no more such requests, as with loop. If
 * memory is short, the request is retried.
 */
struct ubdx_result ubdx_failed(struct ubdx_slot *slot, s32 res)
{
	struct request *rq = slot->rq;

	if (res == -ENOMEM)
		return (struct ubdx_result){ .retry = true };
	if (res == -EOPNOTSUPP && req_op(rq) == REQ_OP_DISCARD) {
		blk_queue_disable_discard(rq->q);
		if (slot->q->front)
			blk_queue_disable_discard(slot->q->front->queue);
		rq->rq_flags |= RQF_QUIET;
	} else if (res == -EOPNOTSUPP && req_op(rq) == REQ_OP_WRITE_ZEROES) {
		blk_queue_disable_write_zeroes(rq->q);
		if (slot->q->front)
			blk_queue_disable_write_zeroes(slot->q->front->queue);
		rq->rq_flags |= RQF_QUIET;
	}
	this_cpu_inc(slot->q->counts->failed);
	return (struct ubdx_result){ .status = ubdx_status(res) };
}

/* The first @bytes of the request have been served. */
struct ubdx_result ubdx_served(struct ubdx_slot *slot, unsigned int bytes)
{
	struct ubdx_counter __percpu *counter = &slot->q->counts->done[slot->xfer->mode][slot->op];

	this_cpu_inc(counter->requests);
	this_cpu_add(counter->bytes, bytes);
	return (struct ubdx_result){ .bytes = bytes };
}

/*
 * The server's answer is an error, or isn't valid. If the server is being killed or is dead, that
 * may have caused the error. Then the answer is ignored, and the request is aborted.
 */
static noinline struct ubdx_result ubdx_not_served(struct ubdx_server_queue *srvq,
						   struct ubdx_slot *slot, s32 error)
{
	if (!fatal_signal_pending(current) && !READ_ONCE(srvq->dead))
		return ubdx_failed(slot, error);
	ubdx_server_fail(srvq->srv);
	ubdx_abort(slot, true);
	return (struct ubdx_result){ .gone = true };
}

/*
 * Turn the server's answer into a result, and let the mode move the payload. A short answer is
 * rounded down to whole logical blocks, so that no reader sees what the server did not fill. If no
 * block was served, the request fails, because requeuing it could go on for ever.
 */
static __always_inline struct ubdx_result
ubdx_settle(const struct ubdx_ctx *ctx, struct ubdx_slot *slot, const struct ubdx_answer *answer)
{
	struct ubdx_server_queue *srvq = ctx->srvq;
	struct ubdx_queue *q = srvq->q;
	s32 res = answer->res;

	ubdx_xfer_recall(ctx, slot);
	if (unlikely(res < 0))
		return ubdx_not_served(srvq, slot, res);
	if (!ubdx_slot_has_payload(slot))
		return likely(!res) ? ubdx_served(slot, blk_rq_bytes(slot->rq)) :
				      ubdx_not_served(srvq, slot, -EIO);
	if (unlikely(!res || res > blk_rq_bytes(slot->rq)))
		return ubdx_not_served(srvq, slot, -EIO);

	if (slot->xfer->commit[slot->op]) {
		res = slot->xfer->commit[slot->op](ctx, slot, answer);
		if (unlikely(res == -ENODEV))
			return (struct ubdx_result){ .gone = true };
		if (unlikely(res < 0))
			return ubdx_not_served(srvq, slot, res);
		srvq->batch.copied += res;
	}
	res &= ~q->block_mask;
	if (unlikely(!res))
		return ubdx_not_served(srvq, slot, -EIO);
	return ubdx_served(slot, res);
}

/* If the request has users, the last of them ends it. */
static __always_inline void ubdx_end_commit(struct ubdx_server_queue *srvq, struct ubdx_slot *slot,
					    struct ubdx_result result, bool more)
{
	bool unmapped = slot->mapped_by;

	if (unlikely(ubdx_slot_used(slot) || result.retry)) {
		ubdx_finish(slot, result);
		return;
	}
	ubdx_unmap(slot);
	if (static_branch_unlikely(&ubdx_traced))
		ubdx_end_traced(srvq, slot, result, more, unmapped);
	else
		ubdx_end_in_batch(srvq, slot, result, more, NULL);
}

/**
 * ubdx_end_io - the driver's own I/O for a request has ended.
 * @slot:	slot, in state IO.
 * @result:	outcome.
 *
 * Any context. In a hard interrupt, or with interrupts disabled, bottom halves can't be disabled.
 * There blk-mq chooses where the request ends.
 */
void ubdx_end_io(struct ubdx_slot *slot, struct ubdx_result result)
{
	slot->result = result;
	if (unlikely(ubdx_slot_used(slot))) {
		/* the request's age doesn't include the I/O, see ubdx_tick_slot() */
		WRITE_ONCE(slot->start, jiffies);
		if (ubdx_slot_leave(slot, UBDX_SLOT_IO))
			return;
	}
	if (likely(!in_hardirq() && !irqs_disabled()))
		ubdx_end(slot, result);
	else
		blk_mq_complete_request(slot->rq);
}

/* ->complete() of blk-mq: the rest of ubdx_end_io(). Any context. */
void ubdx_complete(struct request *rq)
{
	struct ubdx_queue *q = rq->mq_hctx->driver_data;
	struct ubdx_slot *slot = &q->slots[rq->tag];

	ubdx_end(slot, slot->result);
}

/* As ubdx_commit(), for an answer with UBDX_COMMIT_FORWARD. */
static noinline int ubdx_commit_forward(const struct ubdx_ctx *ctx, struct ubdx_slot *slot,
					const struct ubdx_answer *answer,
					struct io_uring_cmd **place)
{
	struct ubdx_forward *forward;
	struct ubdx_result result;
	int error = ubdx_forward_prepare(ctx, slot, answer, &forward);

	if (unlikely(error == -EBUSY)) {
		if (ubdx_slot_pass(ctx->srvq, slot, UBDX_SLOT_SERVER))
			return -EBUSY;
		ubdx_abort(slot, true);
		return -ENODEV;
	}
	ubdx_xfer_recall(ctx, slot);
	if (unlikely(error)) {
		result = ubdx_not_served(ctx->srvq, slot, error);
		if (result.gone)
			return -ENODEV;
		ubdx_park(place, ctx->cmd);
		ubdx_end_commit(ctx->srvq, slot, result, answer->flags & UBDX_COMMIT_MORE);
	} else {
		ubdx_unmap(slot);
		WRITE_ONCE(slot->xfer, &ubdx_xfer_forward);
		ubdx_park(place, ctx->cmd);
		ubdx_slot_move(slot, UBDX_SLOT_IO);
		ubdx_forward_submit(slot, forward);
		if (!(answer->flags & UBDX_COMMIT_MORE))
			ubdx_batch_end(&ctx->srvq->batch);
	}
	ubdx_unpark_if_dead(ctx->srvq, place, ctx->issue_flags);
	return -EIOCBQUEUED;
}

/**
 * ubdx_commit - the server has answered a request: end or forward the request.
 * @ctx:	the commit; this is the queue's task.
 * @slot:	slot, claimed by the caller. The caller loses the slot.
 * @answer:	the server's answer.
 * @place:	where to park ctx->cmd for the tag's next request. The command is parked before the
 *		request ends, because the tag can be reused at once.
 *
 * Returns -EIOCBQUEUED; -ENODEV if the server was aborted meanwhile; -EBUSY if the request is still
 * at the server, see UBDX_COMMIT_FORWARD. With an error the command isn't parked.
 */
int ubdx_commit(const struct ubdx_ctx *ctx, struct ubdx_slot *slot,
		const struct ubdx_answer *answer, struct io_uring_cmd **place)
{
	struct ubdx_result result;

	if (unlikely(answer->flags & UBDX_COMMIT_FORWARD))
		return ubdx_commit_forward(ctx, slot, answer, place);
	result = ubdx_settle(ctx, slot, answer);
	if (unlikely(result.gone))
		return -ENODEV;
	ubdx_park(place, ctx->cmd);
	ubdx_end_commit(ctx->srvq, slot, result, answer->flags & UBDX_COMMIT_MORE);
	ubdx_unpark_if_dead(ctx->srvq, place, ctx->issue_flags);
	return -EIOCBQUEUED;
}
