// SPDX-License-Identifier: GPL-2.0
/*
 * blk.c - the block device: queue_rq and queue_rqs take requests from blk-mq. end.c ends them.
 */
#include <linux/blkdev.h>

#include "chan.h"
#include "extents.h"
#include "stage.h"
#include "xfer.h"

/* enum ubdx_op of a request's operation, plus one; 0: not served. */
static const u8 ubdx_ops[REQ_OP_LAST] = {
	[REQ_OP_READ] = UBDX_OP_READ + 1,
	[REQ_OP_WRITE] = UBDX_OP_WRITE + 1,
	[REQ_OP_FLUSH] = UBDX_OP_FLUSH + 1,
	[REQ_OP_DISCARD] = UBDX_OP_DISCARD + 1,
	[REQ_OP_WRITE_ZEROES] = UBDX_OP_WRITE_ZEROES + 1,
};

/*
 * The operations that a read-only device serves. The block layer itself doesn't refuse writes that
 * come from within the kernel, and only warns (bio_check_ro()).
 */
static const u8 ubdx_ops_read_only[REQ_OP_LAST] = {
	[REQ_OP_READ] = UBDX_OP_READ + 1,
	[REQ_OP_FLUSH] = UBDX_OP_FLUSH + 1,
};

/*
 * Does the queue have a live server? The caller is in an RCU read-side section. If this returns
 * true, an abort sees every request that is published before the section ends. Acquire: START
 * writes dev->xfer before q->srvq, so the caller then reads a mode that this server has offered.
 */
static __always_inline bool ubdx_srvq_alive(struct ubdx_server_queue *srvq)
{
	if (unlikely(!srvq || READ_ONCE(srvq->dead)))
		return false;
	smp_acquire__after_ctrl_dep();
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
	slot->xfer = ubdx_xfer_select(slot);
	WRITE_ONCE(slot->start, jiffies);
	if (unlikely(q->front))
		ubdx_front_start(slot);
	ubdx_slot_begin(slot);
	ubdx_stage_then(q, slot, UBDX_T_QUEUE, now);
	return true;
}

static blk_status_t ubdx_queue_rq(struct blk_mq_hw_ctx *hctx, const struct blk_mq_queue_data *bd)
{
	struct ubdx_queue *q = hctx->driver_data;
	struct ubdx_server_queue *srvq = rcu_dereference(q->srvq);
	struct request *rq = bd->rq;

	if (unlikely(!ubdx_srvq_alive(srvq)))
		return READ_ONCE(q->dev->recovers) ? BLK_STS_RESOURCE : BLK_STS_IOERR;
	if (unlikely(!ubdx_prepare(q, rq, ubdx_stage_now())))
		return ubdx_ops[(__force u32)req_op(rq)] ? BLK_STS_IOERR : BLK_STS_NOTSUPP;
	rq->rq_next = NULL;
	q->chan->publish(srvq, rq);
	return BLK_STS_OK;
}

/*
 * Publish the requests at the start of a list that are for the first one's queue. Returns the first
 * request that was not published, or NULL. @rejected: out: the returned request can't be published.
 */
static __always_inline struct request *ubdx_queue_run(struct request *first, bool *rejected)
{
	struct blk_mq_hw_ctx *hctx = first->mq_hctx;
	struct ubdx_queue *q = hctx->driver_data;
	struct ubdx_server_queue *srvq = rcu_dereference(q->srvq);
	struct request *rq = first, *last = NULL;
	u64 now = ubdx_stage_now(); /* one stamp for all: blk-mq passed them together */

	*rejected = !ubdx_srvq_alive(srvq);
	while (likely(!*rejected) && rq && rq->mq_hctx == hctx) {
		*rejected = !ubdx_prepare(q, rq, now);
		if (unlikely(*rejected))
			break;
		last = rq;
		rq = rq->rq_next;
	}
	if (last) {
		last->rq_next = NULL;
		q->chan->publish(srvq, first);
	}
	return rq;
}

static void ubdx_queue_rqs(struct rq_list *list)
{
	struct request *rq = rq_list_peek(list), *next;
	bool rejected;

	/* blk-mq passes requests that stay in the list to queue_rq, which can return the error. */
	rq_list_init(list);
	while (rq) {
		rq = ubdx_queue_run(rq, &rejected);
		if (unlikely(rejected)) {
			next = rq->rq_next;
			rq_list_add_tail(list, rq);
			rq = next;
		}
	}
}

static int ubdx_init_hctx(struct blk_mq_hw_ctx *hctx, void *data, unsigned int index)
{
	struct ubdx_dev *dev = data;
	struct ubdx_queue *q = dev->queues[index];

	q->ops = dev->params.attrs & UBDX_ATTR_READ_ONLY ? ubdx_ops_read_only : ubdx_ops;
	hctx->driver_data = q;
	return 0;
}

/*
 * A request's timer has expired, after queue/io_timeout. Only the tick declares a late server dead
 * (tick.c, ubdx_limit()). So just restart the timer.
 */
static enum blk_eh_timer_return ubdx_timeout(struct request *rq)
{
	return BLK_EH_RESET_TIMER;
}

static const struct blk_mq_ops ubdx_mq_ops = {
	.queue_rq = ubdx_queue_rq,
	.queue_rqs = ubdx_queue_rqs,
	.init_hctx = ubdx_init_hctx,
	.timeout = ubdx_timeout,
	.complete = ubdx_complete,
};

int ubdx_tag_set_init(struct ubdx_dev *dev)
{
	struct blk_mq_tag_set *set = &dev->tag_set;

	set->ops = &ubdx_mq_ops;
	set->nr_hw_queues = dev->params.nr_queues;
	set->queue_depth = dev->params.depth;
	set->numa_node = dev->params.numa_node;
	set->timeout = msecs_to_jiffies(dev->params.timeout_ms);
	/*
	 * No elevator by default: with one, blk-mq doesn't call queue_rqs. The administrator can
	 * set one. Stacking: a CPU that goes offline must not wait for the queue's requests,
	 * because it would hold the hotplug lock meanwhile. The server that is to end these
	 * requests may need that lock, or may be gone.
	 */
	set->flags = BLK_MQ_F_NO_SCHED_BY_DEFAULT | UBDX_MQ_F_SHOULD_MERGE | BLK_MQ_F_STACKING;
	set->driver_data = dev;
	return blk_mq_alloc_tag_set(set);
}

void ubdx_disk_free(struct gendisk *disk)
{
	ubdx_dev_put(disk->private_data);
}

/* BLKROSET can't make a read-only device writable. 0: the block layer sets the disk's flag. */
int ubdx_disk_set_read_only(struct block_device *bdev, bool ro)
{
	struct ubdx_dev *dev = bdev->bd_disk->private_data;

	return !ro && dev->params.attrs & UBDX_ATTR_READ_ONLY ? -EACCES : 0;
}

static const struct block_device_operations ubdx_disk_fops = {
	.owner = THIS_MODULE,
	.open = ubdx_disk_open,
	.release = ubdx_disk_release,
	.set_read_only = ubdx_disk_set_read_only,
	.free_disk = ubdx_disk_free,
};

/**
 * ubdx_disk_alloc - make the disk whose requests the server answers, from the device's parameters.
 * @dev:	device.
 *
 * The caller takes a reference to the device before it adds the disk. The last put of the disk
 * drops this reference. Returns ERR_PTR on failure.
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
		/* else the block layer's default caps the requests, in Linux 6.12 at 1280 KiB */
		.max_user_sectors = p->max_io_bytes >> SECTOR_SHIFT,
		.max_segments = p->max_segments,
		.max_segment_size = p->max_segment_size,
		.dma_alignment = p->dma_alignment,
		.discard_granularity = p->max_discard_sectors ? p->discard_granularity : 0,
		.max_hw_discard_sectors = p->max_discard_sectors,
		.max_discard_segments = 1,
		.max_write_zeroes_sectors = p->max_write_zeroes_sectors,
		/* the server may read a payload more than once, until it commits */
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
	if (!IS_ERR(disk))
		disk->fops = &ubdx_disk_fops;
	return disk;
}
