// SPDX-License-Identifier: GPL-2.0
/*
 * forward.c - the driver does a request's I/O itself, because the server has answered with extents
 * instead of with a result: UBDX_COMMIT_FORWARD.
 *
 * From the commit until the I/O has ended, the request's slot is in state IO (slot.h). Nobody can
 * claim the request then, so no abort can end it, and a WRITE never reaches the storage after it
 * has ended for its submitter. If the server dies, the I/O of such requests continues, and the next
 * server can't START before they have ended.
 *
 * In state IO nobody can become a user of the request. Its pages were unmapped from the windows
 * before. Existing users, such as a pread or a pipe's buffer, stay. If the I/O ends before they
 * leave, the last user ends the request.
 *
 * A block device that the server opened with O_DIRECT gets bios that point to the request's own
 * pages. The server's task submits them under io_uring's plug. If the device throttles, this task
 * waits. A request that is one bio and goes to one extent needs no allocation: each tag has a bio
 * (struct ubdx_single). All other files are read and written by a worker (file_io.c).
 *
 * Each extent of an answer is a part (struct ubdx_part). Parts end in any context, hard interrupts
 * included. If a part fails, the request fails, or is retried if memory was short. If a file ends
 * early, the request is short: the block layer issues the rest again.
 */
#include <linux/blk-cgroup.h>
#include <linux/blk-mq.h>
#include <linux/slab.h>

#include "chan.h"
#include "extents.h"
#include "forward.h"

/* Flags that the driver's bios inherit from the request. */
#define UBDX_PASSED_FLAGS (REQ_META | REQ_PRIO | REQ_FUA)
/* Flags of each WRITE bio; a server's own direct I/O has the same. */
#define UBDX_WRITE_FLAGS (REQ_SYNC | REQ_IDLE)

/* What a tag needs for a request that is one bio and goes to one extent. */
struct ubdx_single {
	struct bio bio;
	struct ubdx_slot *slot;
	struct ubdx_backing *backing; /* holds a reference while the bio is out */
	unsigned int bytes;
};

/* ---- the end ---- */

static __always_inline void ubdx_forward_end_request(struct ubdx_slot *slot, int error,
						     unsigned int bytes)
{
	bytes &= ~slot->q->block_mask;
	if (unlikely(!error && !bytes))
		error = -EIO;
	ubdx_end_io(slot, unlikely(error) ? ubdx_failed(slot, error) : ubdx_served(slot, bytes));
}

/*
 * The references to the backings are dropped last: when the request has ended, only they keep the
 * device and the module, which this function still needs.
 */
static void ubdx_forward_end(struct ubdx_forward *forward)
{
	unsigned int i, last = forward->nr_parts - 1;
	struct ubdx_backing *backing = forward->parts[last].backing;

	ubdx_forward_end_request(forward->slot, READ_ONCE(forward->error),
				 atomic_read(&forward->bytes));
	for (i = 0; i < last; i++)
		ubdx_backing_put(forward->parts[i].backing);
	kfree(forward->bvecs);
	kfree(forward);
	ubdx_backing_put(backing);
}

/* A part has ended. @bytes: how many were served, if @error is 0. Any context. */
static void ubdx_part_done(struct ubdx_part *part, int error, unsigned int bytes)
{
	struct ubdx_forward *forward = part->forward;
	int good = part->skip + bytes, now;

	if (unlikely(error)) {
		cmpxchg(&forward->error, 0, error);
	} else if (unlikely(bytes < part->bytes)) {
		now = atomic_read(&forward->bytes);
		while (good < now && !atomic_try_cmpxchg(&forward->bytes, &now, good))
			;
	}
	/* a full barrier: the last part sees what all others have stored */
	if (atomic_dec_and_test(&forward->left))
		ubdx_forward_end(forward);
}

static void ubdx_part_bio_done(struct bio *bio)
{
	struct ubdx_part *part = container_of(bio, struct ubdx_part, bio);
	int error = blk_status_to_errno(bio->bi_status);

	bio_uninit(bio);
	ubdx_part_done(part, error, part->bytes);
}

static void ubdx_single_done(struct bio *bio)
{
	struct ubdx_single *single = container_of(bio, struct ubdx_single, bio);
	struct ubdx_backing *backing = single->backing;
	int error = blk_status_to_errno(bio->bi_status);

	bio_uninit(bio);
	/* after this the tag's next request can use the bio */
	ubdx_forward_end_request(single->slot, error, single->bytes);
	ubdx_backing_put(backing);
}

/* ---- bios ---- */

/*
 * Set what all our bios have in common; the blkcg is the submitter's. The callers have copied the
 * submitter's priority and write hint.
 */
static void ubdx_bio_set(struct bio *bio, struct request *rq, struct ubdx_backing *backing, u64 pos)
{
	/* The block layer has tried to merge the request; a second try only costs time. */
	bio->bi_opf = req_op(rq) | REQ_NOMERGE | (rq->cmd_flags & UBDX_PASSED_FLAGS);
	if (req_op(rq) == REQ_OP_WRITE) {
		bio->bi_opf |= UBDX_WRITE_FLAGS;
		if (unlikely(backing->file->f_iocb_flags & IOCB_DSYNC))
			bio->bi_opf |= REQ_FUA;
	}
	bio->bi_bdev = backing->bdev;
	bio->bi_iter.bi_sector = pos >> SECTOR_SHIFT;
	bio_clone_blkg_association(bio, rq->bio);
}

static __always_inline int ubdx_single_init(struct ubdx_single *single, struct request *rq,
					    struct ubdx_backing *backing, u64 pos,
					    unsigned int bytes)
{
	struct bio *bio = &single->bio;
	int ret;

	/* NULL: with a block device this would look up the blkg, which ubdx_bio_set() sets. */
	ret = bio_init_clone(NULL, bio, rq->bio, GFP_NOIO);
	if (unlikely(ret))
		return ret;
	ubdx_bio_set(bio, rq, backing, pos);
	bio->bi_iter.bi_size = bytes;
	bio->bi_end_io = ubdx_single_done;
	single->backing = backing;
	single->bytes = bytes;
	return 0;
}

static void ubdx_part_submit_bio(struct ubdx_part *part)
{
	struct ubdx_forward *forward = part->forward;
	struct request *rq = forward->slot->rq;
	struct bio *bio = &part->bio;

	bio_init(bio, NULL, forward->bvecs, forward->nr_bvecs, 0);
	/* All parts share the array; skip to the part's first byte. */
	bio_set_flag(bio, BIO_CLONED);
	bio->bi_iter.bi_size = part->skip + part->bytes;
	bio_advance_iter(bio, &bio->bi_iter, part->skip);
	bio->bi_ioprio = rq->bio->bi_ioprio;
	bio->bi_write_hint = rq->bio->bi_write_hint;
	ubdx_bio_set(bio, rq, part->backing, part->pos);
	bio->bi_end_io = ubdx_part_bio_done;
	submit_bio_noacct(bio);
}

/* ---- the answer ---- */

/* Returns 0 if the request's operation on @bytes at @pos is allowed, or an errno. */
static __always_inline int ubdx_extent_check(const struct ubdx_slot *slot,
					     const struct ubdx_backing *backing, u64 pos,
					     unsigned int bytes)
{
	bool write = slot->op == UBDX_OP_WRITE;
	unsigned long limit;

	if ((pos | bytes) & backing->block_mask || pos > LLONG_MAX - bytes || !bytes)
		return -EINVAL;
	if (!(backing->file->f_mode & (write ? FMODE_WRITE : FMODE_READ)))
		return -EBADF;
	if (!write)
		return 0;
	if (backing->bdev)
		return unlikely(ubdx_bdev_refuses_writes(backing)) ? -EPERM : 0;
	if (!S_ISREG(file_inode(backing->file)->i_mode))
		return 0;
	/* The server's limit is checked here, in the server's task: a worker has no limit. */
	limit = rlimit(RLIMIT_FSIZE);
	return limit != RLIM_INFINITY && pos + bytes > limit ? -EFBIG : 0;
}

static void ubdx_part_file_done(struct ubdx_file_io *io, long ret)
{
	ubdx_file_unguard(io);
	ubdx_part_done(container_of(io, struct ubdx_part, io), min(ret, 0L), max(ret, 0L));
}

static int ubdx_part_init_file(struct ubdx_part *part)
{
	struct ubdx_forward *forward = part->forward;
	struct request *rq = forward->slot->rq;

	part->io = (struct ubdx_file_io){
		.backing = part->backing,
		.bio = rq->bio,
		.opf = rq->cmd_flags,
		.bvecs = forward->bvecs,
		.nr_bvecs = forward->nr_bvecs,
		.skip = part->skip,
		.bytes = part->bytes,
		.pos = part->pos,
		.done = ubdx_part_file_done,
	};
	return ubdx_file_guard(&part->io) ? 0 : -EBUSY;
}

static int ubdx_part_init(struct ubdx_forward *forward, struct ubdx_part *part,
			  struct ubdx_server *srv, const struct ubdx_extent *extent,
			  unsigned int skip)
{
	struct ubdx_backing *backing;
	int ret;

	/* Each part but the last must be whole logical blocks, see ubdx_xfer_refuse_odd(). */
	if (skip & forward->slot->q->block_mask)
		return -EINVAL;
	backing = ubdx_backing_get(srv, extent->file);
	if (!backing)
		return -EBADF;
	*part = (struct ubdx_part){
		.forward = forward,
		.backing = backing,
		.pos = extent->offset,
		.skip = skip,
		.bytes = extent->bytes,
	};
	ret = ubdx_extent_check(forward->slot, backing, extent->offset, extent->bytes);
	return ret || backing->bdev ? ret : ubdx_part_init_file(part);
}

static int ubdx_forward_bvecs(struct ubdx_forward *forward)
{
	struct request *rq = forward->slot->rq;
	struct req_iterator iter;
	struct bio_vec bv, *next;

	rq_for_each_bvec(bv, rq, iter)
		forward->nr_bvecs++;
	forward->bvecs = kmalloc_array(forward->nr_bvecs, sizeof(*next), GFP_NOIO | __GFP_NOWARN);
	next = forward->bvecs;
	if (!next)
		return -ENOMEM;
	rq_for_each_bvec(bv, rq, iter)
		*next++ = bv;
	return 0;
}

static void ubdx_forward_free(struct ubdx_forward *forward)
{
	unsigned int i;

	for (i = 0; i < forward->nr_parts && forward->parts[i].backing; i++) {
		if (!forward->parts[i].backing->bdev)
			ubdx_file_unguard(&forward->parts[i].io);
		ubdx_backing_put(forward->parts[i].backing);
	}
	kfree(forward->bvecs);
	kfree(forward);
}

static noinline int ubdx_forward_parts(const struct ubdx_ctx *ctx, struct ubdx_slot *slot,
				       const struct ubdx_extent *extents, unsigned int nr,
				       struct ubdx_forward **out)
{
	unsigned int i, skip = 0, bytes = blk_rq_bytes(slot->rq);
	struct ubdx_forward *forward;
	int ret;

	forward = kzalloc(struct_size(forward, parts, nr), GFP_NOIO | __GFP_NOWARN);
	if (!forward)
		return -ENOMEM;
	forward->slot = slot;
	forward->nr_parts = nr;
	ret = ubdx_forward_bvecs(forward);
	for (i = 0; !ret && i < nr; i++) {
		ret = extents[i].bytes > bytes - skip ?
			      -EINVAL :
			      ubdx_part_init(forward, &forward->parts[i], ctx->srvq->srv,
					     &extents[i], skip);
		skip += extents[i].bytes;
	}
	if (ret) {
		ubdx_forward_free(forward);
		return ret;
	}
	atomic_set(&forward->bytes, skip);
	atomic_set(&forward->left, nr);
	*out = forward;
	return 0;
}

/* For a request of one bio, and one extent on a block device. Returns 1 for anything else. */
static __always_inline int ubdx_forward_single(const struct ubdx_ctx *ctx, struct ubdx_slot *slot,
					       const struct ubdx_extent *extent)
{
	struct request *rq = slot->rq;
	struct ubdx_backing *backing;
	int ret;

	if (unlikely(rq->bio != rq->biotail || extent->bytes > blk_rq_bytes(rq)))
		return 1;
	backing = ubdx_backing_get(ctx->srvq->srv, extent->file);
	if (unlikely(!backing))
		return -EBADF;
	ret = likely(backing->bdev) ?
		      ubdx_extent_check(slot, backing, extent->offset, extent->bytes) :
		      1;
	/* pairs with ubdx_forward_init_queue(): singles was set before the file was registered */
	smp_rmb();
	if (likely(!ret))
		ret = ubdx_single_init(&slot->q->singles[rq->tag], rq, backing, extent->offset,
				       extent->bytes);
	if (unlikely(ret))
		ubdx_backing_put(backing);
	return ret;
}

/**
 * ubdx_forward_prepare - check a server's answer that forwards a request, and get all that the I/O
 * needs.
 * @ctx:	the commit.
 * @slot:	slot, claimed by the caller.
 * @answer:	the server's answer.
 * @out:	out: for ubdx_forward_submit().
 *
 * Returns 0; -EBUSY not now, see UBDX_COMMIT_FORWARD; another errno with which the request fails.
 */
int ubdx_forward_prepare(const struct ubdx_ctx *ctx, struct ubdx_slot *slot,
			 const struct ubdx_answer *answer, struct ubdx_forward **out)
{
	const struct ubdx_extent one = {
		.offset = answer->addr,
		.bytes = answer->res,
		.file = answer->flags >> UBDX_COMMIT_FILE_SHIFT,
	};
	int ret;

	*out = NULL;
	if (unlikely(!ubdx_slot_has_payload(slot) || answer->res <= 0))
		return -EIO;
	if (unlikely(slot->xfer->refuse != ubdx_xfer_refuse_odd &&
		     ubdx_xfer_refuse_odd(slot->q->dev, slot)))
		return -EINVAL;
	/*
	 * A user may be mapping pages, and could map more of them after ubdx_unmap(). Nothing says
	 * whether a user maps or copies.
	 */
	if (unlikely(slot->xfer->unmap && ubdx_slot_used(slot)))
		return -EBUSY;
	if (unlikely(answer->extents)) {
		ret = ubdx_forward_parts(ctx, slot, answer->extents, answer->res, out);
	} else {
		ret = ubdx_forward_single(ctx, slot, &one);
		if (unlikely(ret > 0))
			ret = ubdx_forward_parts(ctx, slot, &one, 1, out);
	}
	if (unlikely(answer->flags & UBDX_COMMIT_KEEP) && !ret)
		ubdx_map_keep(slot, answer->extents ?: &one, answer->extents ? answer->res : 1,
			      answer->flags);
	return ret;
}

/**
 * ubdx_forward_submit - begin the I/O of a request.
 * @slot:	slot, in state IO. The caller loses it.
 * @forward:	from ubdx_forward_prepare().
 */
void ubdx_forward_submit(struct ubdx_slot *slot, struct ubdx_forward *forward)
{
	unsigned int i, nr;

	if (likely(!forward)) {
		submit_bio_noacct(&slot->q->singles[slot->rq->tag].bio);
		return;
	}
	/* The last part can end, and @forward be freed, before its submission returns. */
	nr = forward->nr_parts;
	for (i = 0; i < nr; i++) {
		struct ubdx_part *part = &forward->parts[i];

		if (part->backing->bdev)
			ubdx_part_submit_bio(part);
		else
			ubdx_file_submit(&part->io, 0);
	}
}

/* ---- memory ---- */

static int ubdx_forward_init_queue(struct ubdx_queue *q)
{
	struct ubdx_single *singles;
	u16 tag;

	if (READ_ONCE(q->singles))
		return 0;
	singles = kvcalloc_node(q->depth, sizeof(*singles), GFP_KERNEL_ACCOUNT, q->node);
	if (!singles)
		return -ENOMEM;
	for (tag = 0; tag < q->depth; tag++)
		singles[tag].slot = &q->slots[tag];
	if (cmpxchg(&q->singles, NULL, singles))
		kvfree(singles);
	return 0;
}

/**
 * ubdx_forward_init_dev - allocate the tags' bios, which stay as long as the device. Most devices
 * have no use for them.
 * @dev:	device.
 *
 * Returns 0 or -ENOMEM.
 */
int ubdx_forward_init_dev(struct ubdx_dev *dev)
{
	unsigned int i;
	int ret = 0;

	for (i = 0; !ret && i < dev->params.nr_queues; i++)
		ret = ubdx_forward_init_queue(dev->queues[i]);
	return ret;
}

void ubdx_forward_exit_queue(struct ubdx_queue *q)
{
	kvfree(q->singles);
}
