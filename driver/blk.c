// SPDX-License-Identifier: GPL-2.0
/*
 * blk.c - the block device in front: requests come in by queue_rq(s) and are ended here.
 *
 * Whoever calls ubdx_commit(), ubdx_end() or ubdx_abort() owns the slot (see dev.h); when
 * they return, the tag may belong to another request already.
 *
 * Requests are ended with bottom halves disabled. A bio's end may drop the last reference of a
 * file; with bottom halves off that final fput is deferred to a worker, otherwise it would run in
 * the server's task, where closing our own block device waits for the server.
 */
#include <linux/blkdev.h>

#include "chan.h"
#include "stage.h"
#include "xfer.h"

/*
 * blk-mq looks at requests that are under way this often (io_timeout in sysfs), so that a request
 * at a task that has exited doesn't wait for the whole of the device's I/O timeout, which is
 * counted here.
 */
#define UBDX_TIMEOUT_TICK HZ

/*
 * Requests that are committed in one go end in one go, unless that keeps their submitters waiting:
 * copying a READ's payload takes time, so after this much of it what has been served ends.
 */
#define UBDX_BATCH_BYTES SZ_64K

/* End the requests that were left to a later commit. The server's task, or an abort after its grace period. */
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
 * ubdx_end_waiting - end the requests that were to end with a later commit.
 * @sq:		queue; this is its task.
 *
 * For a commit that ends none, or that has to wait itself.
 */
void ubdx_end_waiting(struct ubdx_server_queue *sq)
{
	local_bh_disable();
	ubdx_leave_batch(sq);
	local_bh_enable();
}

/* Give up the slot. The request that was in it is still the caller's, who ends it. */
static __always_inline struct request *ubdx_vacate(struct ubdx_slot *slot)
{
	struct request *rq = slot->rq;

	atomic64_set(&slot->word, ubdx_slot_word(ubdx_slot_seq(slot), UBDX_SLOT_IDLE));
	return rq;
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
	struct request *rq = ubdx_vacate(slot);

	local_bh_disable();
	ubdx_end_request(rq, result);
	local_bh_enable();
}

/*
 * @done: NULL, or what is to be told of it. Returns whether it has joined the queue's batch: it is told of when
 * that ends.
 */
static __always_inline bool ubdx_end_in_batch(struct ubdx_server_queue *sq, struct ubdx_slot *slot,
					      struct ubdx_result result, bool more,
					      const struct ubdx_trace_done *done)
{
	struct request *rq = ubdx_vacate(slot);
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
 * What is told of a request is gathered before it ends, and told after. @sq: NULL, or the queue whose batch it may
 * join. @released: pages of it have just been shut, else T6 is T5 where nothing was copied back.
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
static void ubdx_reissue(struct ubdx_queue *q, struct ubdx_slot *slot)
{
	atomic64_inc(&q->reissued);
	blk_mq_requeue_request(ubdx_vacate(slot), true);
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
	if (unlikely(result.again))
		ubdx_reissue(q, slot);
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

/* For how many jiffies the request has been out. In this order: one that begins meanwhile is not old. */
static u32 ubdx_age(const struct ubdx_slot *slot)
{
	u32 start = READ_ONCE(slot->start);

	return (u32)jiffies - start;
}

/* Is that longer than the server may keep it? */
static bool ubdx_late(const struct ubdx_queue *q, u32 age)
{
	return age >= msecs_to_jiffies(q->dev->params.timeout_ms);
}

/**
 * ubdx_abort - a request's server is gone: end it, or keep it for the next one.
 * @q:		queue.
 * @slot:	slot, claimed by the caller, who loses it.
 * @seen:	the server knows of it.
 */
void ubdx_abort(struct ubdx_queue *q, struct ubdx_slot *slot, bool seen)
{
	bool late = ubdx_late(q, ubdx_age(slot));

	if (READ_ONCE(q->dev->recovers) &&
	    (!seen || q->dev->params.recovery == UBDX_RECOVERY_REISSUE)) {
		ubdx_finish(q, slot, (struct ubdx_result){ .again = true });
		return;
	}
	atomic64_inc(&q->aborted);
	ubdx_finish(q, slot,
		    (struct ubdx_result){ .status = late ? BLK_STS_TIMEOUT : BLK_STS_IOERR });
}

/* Abort what was left to a later commit, which is ended. sq->dead is set, none is left to one any more. */
void ubdx_abort_batch(struct ubdx_server_queue *sq)
{
	local_bh_disable(); /* as for all ends, see above */
	ubdx_end_batch(sq);
	local_bh_enable();
}

/*
 * Abort every request of the queue that nobody has claimed. sq->dead is set, none is published any
 * more.
 */
void ubdx_abort_queue(struct ubdx_queue *q)
{
	u16 tag;

	for (tag = 0; tag < q->depth; tag++) {
		struct ubdx_slot *slot = &q->slots[tag];
		u32 seq = ubdx_slot_seq(slot);

		if (ubdx_slot_claim(slot, seq, UBDX_SLOT_QUEUED))
			ubdx_abort(q, slot, false);
		else if (ubdx_slot_claim_used(slot, seq, UBDX_SLOT_SERVER))
			ubdx_abort(q, slot, true);
	}
}

/* enum ubdx_op of a request's operation, plus one; 0: not served. */
static const u8 ubdx_ops[REQ_OP_LAST] = {
	[REQ_OP_READ] = UBDX_OP_READ + 1,
	[REQ_OP_WRITE] = UBDX_OP_WRITE + 1,
	[REQ_OP_FLUSH] = UBDX_OP_FLUSH + 1,
	[REQ_OP_DISCARD] = UBDX_OP_DISCARD + 1,
	[REQ_OP_WRITE_ZEROES] = UBDX_OP_WRITE_ZEROES + 1,
};

/*
 * A read-only device's. The block layer only warns of writes that come from within the kernel
 * (bio_check_ro()).
 */
static const u8 ubdx_ops_read_only[REQ_OP_LAST] = {
	[REQ_OP_READ] = UBDX_OP_READ + 1,
	[REQ_OP_FLUSH] = UBDX_OP_FLUSH + 1,
};

/*
 * Is there a server to publish to? If so, what is published before the caller's RCU read-side
 * section ends is seen by the abort, should it come to that.
 */
static __always_inline bool ubdx_sq_alive(struct ubdx_server_queue *sq)
{
	if (unlikely(!sq || READ_ONCE(sq->dead)))
		return false;
	if (unlikely(READ_ONCE(sq->task->flags) & PF_EXITING)) {
		ubdx_server_fail(sq->srv);
		return false;
	}
	return true;
}

/*
 * Start a request and take its slot; then it can be published. Returns false if the device doesn't
 * serve the operation.
 */
static __always_inline bool ubdx_prepare(struct ubdx_queue *q, struct request *rq, u64 now)
{
	struct ubdx_slot *slot = &q->slots[rq->tag];
	u8 op = q->ops[(__force u32)req_op(rq)];

	if (unlikely(!op))
		return false;
	blk_mq_start_request(rq);

	slot->rq = rq;
	slot->op = op - 1;
	slot->xfer = ubdx_xfer_select(q, slot);
	WRITE_ONCE(slot->start, jiffies);
	atomic64_set(&slot->word, ubdx_slot_word(ubdx_slot_seq(slot) + 1, UBDX_SLOT_QUEUED));
	ubdx_stage_then(q, slot, UBDX_T_QUEUE, now);
	return true;
}

static blk_status_t ubdx_queue_rq(struct blk_mq_hw_ctx *hctx, const struct blk_mq_queue_data *bd)
{
	struct ubdx_queue *q = hctx->driver_data;
	struct ubdx_server_queue *sq = READ_ONCE(q->sq);
	struct request *rq = bd->rq;

	if (unlikely(!ubdx_sq_alive(sq)))
		return READ_ONCE(q->dev->recovers) ? BLK_STS_RESOURCE : BLK_STS_IOERR;
	if (unlikely(!ubdx_prepare(q, rq, ubdx_stage_now())))
		return ubdx_ops[(__force u32)req_op(rq)] ? BLK_STS_IOERR : BLK_STS_NOTSUPP;
	rq->rq_next = NULL;
	q->dev->chan->publish(sq, rq);
	return BLK_STS_OK;
}

/*
 * Publish the requests at the head of a list that are for one queue, and return the first that is
 * not, or that can't be: then @stuck.
 */
static __always_inline struct request *ubdx_queue_run(struct request *first, bool *stuck)
{
	struct blk_mq_hw_ctx *hctx = first->mq_hctx;
	struct ubdx_queue *q = hctx->driver_data;
	struct ubdx_server_queue *sq = READ_ONCE(q->sq);
	struct request *rq = first, *last = NULL;
	u64 now = ubdx_stage_now(); /* they have come together */

	*stuck = !ubdx_sq_alive(sq);
	while (likely(!*stuck) && rq && rq->mq_hctx == hctx) {
		*stuck = !ubdx_prepare(q, rq, now);
		if (unlikely(*stuck))
			break;
		last = rq;
		rq = rq->rq_next;
	}
	if (last) {
		last->rq_next = NULL;
		q->dev->chan->publish(sq, first);
	}
	return rq;
}

static void ubdx_queue_rqs(struct rq_list *list)
{
	struct request *rq = rq_list_peek(list), *next;
	bool stuck;

	/* What is left in it comes back through queue_rq, which can return the error. */
	rq_list_init(list);
	while (rq) {
		rq = ubdx_queue_run(rq, &stuck);
		if (unlikely(stuck)) {
			next = rq->rq_next;
			rq_list_add_tail(list, rq);
			rq = next;
		}
	}
}

/* The errors a server can give. The others mean something to the block layer's insides. */
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
 * Turn the server's answer into a result, and have a READ's payload moved. False: the request isn't ours any
 * more, it has been aborted.
 *
 * What is kept of a short answer are whole logical blocks; nothing that the server did not fill
 * reaches a reader. No progress at all is an error, so that a request can't come back forever.
 */
static __always_inline bool ubdx_settle(struct ubdx_server_queue *sq, struct ubdx_slot *slot,
					s32 res, struct ubdx_result *result)
{
	struct ubdx_queue *q = sq->q;
	unsigned int bytes = blk_rq_bytes(slot->rq);
	struct ubdx_counter *counter;

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

	counter = &q->done[slot->xfer->mode][slot->op];
	counter->requests++;
	counter->bytes += bytes;
	*result = (struct ubdx_result){ .bytes = bytes };
	return true;

failed:
	if (fatal_signal_pending(current)) {
		/* It may have failed for that: the answer doesn't count. */
		ubdx_server_fail(sq->srv);
		ubdx_abort(q, slot, true);
		return false;
	}
	q->failed++;
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
 * ubdx_commit - end a request as the server says, whose command for the tag's next one is parked.
 * @sq:		queue; this is its task.
 * @slot:	slot, claimed by the caller, who loses it.
 * @res:	what the server said: bytes or -errno, see struct ubdx_commit. Not trusted.
 * @more:	another commit follows at once.
 *
 * While somebody still reaches its payload the last of them ends it.
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

/*
 * A request is out for long. If nobody will ever answer it, or it is out for too long, the server
 * has failed, and the abort ends this request like all others; until then it stays where it is. What
 * the server's tasks have claimed, or are users of, they let go of soon. Where that is still so a
 * while after the abort, as when memory is so short that they get none for a page table, only killing
 * them helps.
 */
static enum blk_eh_timer_return ubdx_timeout(struct request *rq)
{
	struct ubdx_queue *q = rq->mq_hctx->driver_data;
	struct ubdx_server_queue *sq;
	int tag = READ_ONCE(rq->tag);
	enum ubdx_slot_state state;
	unsigned long served;
	u32 age;

	rcu_read_lock();
	sq = smp_load_acquire(&q->sq); /* and when it came, see ubdx_set_sq() */
	/* tag < 0: being requeued with an elevator, not at the server */
	if (!sq || tag < 0)
		goto unlock;

	/* Its server is another one, gone, which for some reason can't let go of it. */
	age = ubdx_age(&q->slots[tag]);
	served = jiffies - sq->started;
	if (age > served)
		goto unlock;
	state = ubdx_slot_state(&q->slots[tag]);
	if (READ_ONCE(sq->dead) && age > UBDX_TIMEOUT_TICK &&
	    ubdx_late(q, age - UBDX_TIMEOUT_TICK) &&
	    (state == UBDX_SLOT_CLAIMED || state == UBDX_SLOT_ENDING))
		ubdx_server_kill(sq->srv);
	if (ubdx_late(q, age) || READ_ONCE(sq->task->flags) & PF_EXITING)
		ubdx_server_fail(sq->srv);
unlock:
	rcu_read_unlock();
	return BLK_EH_RESET_TIMER;
}

static int ubdx_init_hctx(struct blk_mq_hw_ctx *hctx, void *data, unsigned int index)
{
	struct ubdx_dev *dev = data;
	struct ubdx_queue *q = dev->queues[index];

	q->ops = dev->params.attrs & UBDX_ATTR_READ_ONLY ? ubdx_ops_read_only : ubdx_ops;
	hctx->driver_data = q;
	return 0;
}

static const struct blk_mq_ops ubdx_mq_ops = {
	.queue_rq = ubdx_queue_rq,
	.queue_rqs = ubdx_queue_rqs,
	.init_hctx = ubdx_init_hctx,
	.timeout = ubdx_timeout,
};

int ubdx_tag_set_init(struct ubdx_dev *dev)
{
	struct blk_mq_tag_set *set = &dev->tag_set;

	set->ops = &ubdx_mq_ops;
	set->nr_hw_queues = dev->params.nr_queues;
	set->queue_depth = dev->params.depth;
	set->numa_node = dev->params.numa_node;
	set->timeout = UBDX_TIMEOUT_TICK;
	/*
	 * With an elevator there is no queue_rqs. Who wants one can still set it. And a CPU that goes
	 * offline must not wait, with the hotplug lock held, for requests that only a process can end:
	 * it may need that lock, or not even be there.
	 */
	set->flags = BLK_MQ_F_NO_SCHED_BY_DEFAULT | UBDX_MQ_F_SHOULD_MERGE | BLK_MQ_F_STACKING;
	set->driver_data = dev;
	return blk_mq_alloc_tag_set(set);
}

static void ubdx_free_disk(struct gendisk *disk)
{
	ubdx_dev_put(disk->private_data);
}

/* Under open_mutex, as STOP's look at who has it open. */
static int ubdx_disk_open(struct gendisk *disk, blk_mode_t mode)
{
	struct ubdx_dev *dev = disk->private_data;

	return dev->closing ? -ENXIO : 0;
}

/* BLKROSET. A read-only device stays so; another one's flag is the block layer's. */
static int ubdx_disk_set_read_only(struct block_device *bdev, bool ro)
{
	struct ubdx_dev *dev = bdev->bd_disk->private_data;

	return !ro && dev->params.attrs & UBDX_ATTR_READ_ONLY ? -EACCES : 0;
}

static const struct block_device_operations ubdx_disk_fops = {
	.owner = THIS_MODULE,
	.open = ubdx_disk_open,
	.set_read_only = ubdx_disk_set_read_only,
	.free_disk = ubdx_free_disk,
};

/**
 * ubdx_disk_alloc - make the disk of a device from its parameters.
 * @dev:	device.
 *
 * Once the disk has been added its last put drops a reference on the device, which the caller gives
 * it. Returns ERR_PTR on failure.
 */
struct gendisk *ubdx_disk_alloc(struct ubdx_dev *dev)
{
	const struct ubdx_params *p = &dev->params;
	struct queue_limits lim = {
		.logical_block_size = p->logical_block_size,
		.physical_block_size = p->physical_block_size,
		.io_min = p->io_min,
		.io_opt = p->io_opt,
		.max_hw_sectors = p->max_io_bytes >> SECTOR_SHIFT,
		/* else the block layer's default caps it at 1280 KiB */
		.max_user_sectors = p->max_io_bytes >> SECTOR_SHIFT,
		.max_segments = p->max_segments,
		.max_segment_size = p->max_segment_size,
		.dma_alignment = p->dma_alignment,
		.discard_granularity = p->max_discard_sectors ? p->discard_granularity : 0,
		.max_hw_discard_sectors = p->max_discard_sectors,
		.max_discard_segments = 1,
		.max_write_zeroes_sectors = p->max_write_zeroes_sectors,
		/* the payload is read more than once, or later than the block layer thinks */
		.features = BLK_FEAT_STABLE_WRITES,
	};
	struct gendisk *disk;

	if (p->attrs & UBDX_ATTR_WRITE_CACHE)
		lim.features |= BLK_FEAT_WRITE_CACHE;
	if (p->attrs & UBDX_ATTR_FUA)
		lim.features |= BLK_FEAT_FUA;
	if (p->attrs & UBDX_ATTR_ROTATIONAL)
		lim.features |= BLK_FEAT_ROTATIONAL;

	disk = blk_mq_alloc_disk(&dev->tag_set, &lim, NULL);
	if (IS_ERR(disk))
		return disk;

	snprintf(disk->disk_name, DISK_NAME_LEN, "ubdxb%d", dev->id);
	disk->fops = &ubdx_disk_fops;
	disk->private_data = dev;
	set_capacity(disk, p->dev_sectors);
	set_disk_ro(disk, p->attrs & UBDX_ATTR_READ_ONLY);
	/*
	 * The scan reads through the server, and so must not hold up START: scan.c does it after.
	 */
	set_bit(GD_SUPPRESS_PART_SCAN, &disk->state);
	return disk;
}
