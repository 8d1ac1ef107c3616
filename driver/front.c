// SPDX-License-Identifier: GPL-2.0
/*
 * front.c - the visible disk of a device with UBDX_F_EXTENTS. It works on bios. A READ or WRITE
 * whose sectors lie in one extent (extents.c) is sent to the extent's backing, in the submitter's
 * context; if the backing isn't used by bios, in a worker (front_file.c). All other bios are sent to
 * a second, hidden disk: the disk that blk.c makes for every device, whose requests the server
 * answers. A bio that begins in an extent and goes beyond the extent's end is split at this end.
 *
 * The visible disk doesn't use requests, because the block layer's work for a request costs more than
 * all work in this file.
 *
 * A bio's segments aren't looked at: the disk demands memory that is aligned to the device's
 * logical block, which is enough for each backing (ubdx_bdev_check()).
 *
 * The visible disk has the I/O statistics. It counts hits as bios, in this file. It also counts the
 * hidden disk's requests (ubdx_front_start(), ubdx_front_end()), but only for the whole disk, not for
 * partitions.
 */
#include <linux/blk-cgroup.h>
#include <linux/blkdev.h>

#include "extents.h"

/* ---- extents that lead back to the device ---- */

/* So many clones of one bio are in flight before the driver believes that the bio goes in circles. */
#define UBDX_MAX_TURNS 24

/* The first byte of a bio's payload. The clones of a bio have the same, its other parts don't. */
static unsigned long ubdx_bio_start(const struct bio *bio)
{
	return (unsigned long)__bvec_iter_bvec(bio->bi_io_vec, bio->bi_iter) +
	       mp_bvec_iter_offset(bio->bi_io_vec, bio->bi_iter);
}

static noinline void ubdx_front_tell_circle(struct ubdx_map *map)
{
	this_cpu_inc(map->dev->counts->circles);
	if (!xchg(&map->told, true))
		pr_warn("ubdx: ubdxb%d: the same payload is in flight %u times; is a file of the server on the device itself?\n",
			map->dev->id, UBDX_MAX_TURNS);
}

/*
 * An extent's file can stand on the device itself, for example a device-mapper device. A bio in the
 * extent would come back for ever, with one more clone each time; and when it ends, the nested ends would
 * overflow the stack. So the driver counts how many bios with the same payload are in flight, if they
 * came in succession on this CPU. If there are too many, the bio goes to the server. That costs a client
 * little that writes one buffer to many places. Bios that a device resubmits later, in a worker, or with
 * other pages, aren't recognised.
 *
 * Returns NULL if the bio must go to the server. Otherwise the caller passes the result to
 * ubdx_turn_end() when the bio ends, with *@nr.
 */
static noinline struct ubdx_turns *ubdx_turn(struct ubdx_map *map, const struct bio *bio, u32 *nr)
{
	struct ubdx_turns *turns = get_cpu_ptr(map->turns);
	unsigned long start = ubdx_bio_start(bio);

	if (turns->of != start) {
		turns->of = start;
		atomic_set(&turns->in_flight, 0);
		WRITE_ONCE(turns->nr, turns->nr + 1);
	}
	*nr = turns->nr;
	if (atomic_read(&turns->in_flight) >= UBDX_MAX_TURNS)
		turns = NULL;
	else
		atomic_inc(&turns->in_flight);
	put_cpu_ptr(map->turns);
	if (!turns)
		ubdx_front_tell_circle(map);
	return turns;
}

/* Any context, any CPU. If another payload is counted meanwhile, there is nothing to do. */
static noinline void ubdx_turn_end(struct ubdx_turns *turns, u32 nr)
{
	if (READ_ONCE(turns->nr) == nr)
		atomic_dec_if_positive(&turns->in_flight);
}

/* ---- hits ---- */

/* A bio that uses an extent, and its clone, which goes to the backing. */
struct ubdx_hit {
	struct bio *bio;
	struct ubdx_table *table; /* holds a reference */
	unsigned long start; /* jiffies, for the statistics */
	struct ubdx_turns *turns; /* counts the bio, see ubdx_turn(); or NULL */
	u32 turn_nr;
	struct bio clone; /* last: the members before it are the bio_set's front pad */
};

static void ubdx_hit_done(struct bio *clone)
{
	struct ubdx_hit *hit = container_of(clone, struct ubdx_hit, clone);
	struct ubdx_table *table = hit->table;
	struct bio *bio = hit->bio;

	bio_end_io_acct(bio, hit->start);
	if (unlikely(hit->turns))
		ubdx_turn_end(hit->turns, hit->turn_nr);
	/* another part of @bio may have failed (bio_chain()) */
	if (unlikely(clone->bi_status) && !bio->bi_status)
		bio->bi_status = clone->bi_status;
	bio_put(clone);
	bio_endio(bio);
	/* last: only this keeps the backing, the device and the module */
	percpu_ref_put(&table->ref);
}

/*
 * Send a clone of @bio to the extent's backing. The clone takes over the reference to @table. Returns
 * false if the bio must go to the server.
 */
static __always_inline bool ubdx_hit_submit(struct bio *bio, struct ubdx_table *table,
					    const struct ubdx_range *range)
{
	struct ubdx_backing *backing = table->backings[range->file];
	struct ubdx_map *map = table->map;
	struct ubdx_turns *turns = NULL;
	struct bio *clone = NULL;
	struct ubdx_hit *hit;
	u32 turn_nr = 0;

	/* a clone has the array of its bio */
	if (likely(this_cpu_read(map->turns->last) != bio->bi_io_vec)) {
		this_cpu_write(map->turns->last, bio->bi_io_vec);
	} else {
		turns = ubdx_turn(map, bio, &turn_nr);
		if (unlikely(!turns))
			return false;
	}

	/* NULL: with a block device this would look up the blkg, which is cloned below. */
	if (likely(!(bio->bi_opf & REQ_NOWAIT)))
		clone = bio_alloc_clone(NULL, bio, GFP_NOIO, &map->hits);
	else if (bdev_nowait(backing->bdev))
		clone = bio_alloc_clone(NULL, bio, GFP_NOWAIT, &map->hits);
	if (unlikely(!clone)) {
		if (turns)
			ubdx_turn_end(turns, turn_nr);
		percpu_ref_put(&table->ref);
		bio_wouldblock_error(bio);
		return true;
	}
	hit = container_of(clone, struct ubdx_hit, clone);
	hit->bio = bio;
	hit->table = table;
	hit->turns = turns;
	hit->turn_nr = turn_nr;
	hit->start = bio_start_io_acct(bio);
	clone->bi_bdev = backing->bdev;
	bio_clone_blkg_association(clone, bio);
	clone->bi_iter.bi_sector += range->to - range->start;
	clone->bi_end_io = ubdx_hit_done;
	if (unlikely(backing->file->f_iocb_flags & IOCB_DSYNC) && op_is_write(bio_op(bio)))
		clone->bi_opf |= REQ_FUA;
	submit_bio_noacct(clone);
	return true;
}

static void ubdx_front_zero(struct bio *bio)
{
	unsigned long start = bio_start_io_acct(bio);

	zero_fill_bio(bio);
	bio_end_io_acct(bio, start);
	bio_endio(bio);
}

/*
 * Does the backing accept I/O in this direction? A WRITE that it would refuse goes to the server,
 * which answers with the error.
 */
static __always_inline bool ubdx_range_fits(const struct ubdx_table *table,
					    const struct ubdx_range *range, u16 flag)
{
	const struct ubdx_backing *backing = table->backings[range->file];

	return flag == UBDX_EXTENT_READ || unlikely(!backing->bdev) ||
	       !ubdx_bdev_refuses_writes(backing);
}

/* Where are the first sectors of @bio? Returns false for a miss. */
static __always_inline bool ubdx_front_look_up(const struct ubdx_table *table,
					       const struct bio *bio, u16 flag,
					       struct ubdx_range *found)
{
	const struct ubdx_range *range;

	if (unlikely(table->resolver))
		return ubdx_resolver_find(table, bio, flag, found);
	range = ubdx_table_find(table, bio->bi_iter.bi_sector);
	if (unlikely(!range || !(range->flags & flag)))
		return false;
	*found = *range;
	return true;
}

/*
 * Find the extent in which the bio begins, if the extent can be used in the bio's direction.
 * Returns the table, with a reference, or NULL.
 */
static __always_inline struct ubdx_table *ubdx_front_find(struct ubdx_dev *dev, struct bio *bio,
							  u16 flag, struct ubdx_range *found)
{
	struct ubdx_table *table;

	rcu_read_lock();
	table = rcu_dereference(dev->map->table);
	if (likely(table)) {
		if (unlikely(!ubdx_front_look_up(table, bio, flag, found)) ||
		    unlikely(!ubdx_range_fits(table, found, flag))) {
			table = NULL;
		} else if (unlikely(!percpu_ref_tryget_live_rcu(&table->ref))) {
			this_cpu_inc(dev->counts->stale);
			table = NULL;
		}
	}
	rcu_read_unlock();
	return table;
}

/*
 * Split the bio at @sector. The second half comes to ubdx_front_submit() later. Returns the first
 * half; or NULL: a bio with REQ_NOWAIT isn't split, because one half could end with -EAGAIN after
 * the other was served.
 */
static struct bio *ubdx_front_split(struct bio *bio, sector_t sector)
{
	struct bio *first;

	if (bio->bi_opf & REQ_NOWAIT)
		return NULL;
	first = bio_split(bio, sector - bio->bi_iter.bi_sector, GFP_NOIO,
			  &bio->bi_bdev->bd_disk->bio_split);
	if (WARN_ON_ONCE(IS_ERR_OR_NULL(first)))
		return NULL;
	bio_chain(first, bio);
	submit_bio_noacct(bio);
	return first;
}

static void ubdx_front_miss(struct ubdx_dev *dev, struct bio *bio)
{
	enum req_op op = bio_op(bio);

	if ((op == REQ_OP_READ || op == REQ_OP_WRITE) && bio_sectors(bio))
		this_cpu_inc(dev->counts->misses[op == REQ_OP_WRITE]);
	bio_set_dev(bio, dev->back->part0);
	submit_bio_noacct(bio);
}

/* ---- bios ---- */

static void ubdx_front_submit(struct bio *bio)
{
	struct ubdx_dev *dev = bio->bi_bdev->bd_disk->private_data;
	struct ubdx_table *table = NULL;
	enum req_op op = bio_op(bio);
	struct ubdx_range range;
	struct bio *first;
	bool hit;

	if (likely(op == REQ_OP_READ || op == REQ_OP_WRITE) &&
	    likely(!(bio->bi_opf & REQ_PREFLUSH)))
		table = ubdx_front_find(
			dev, bio, op == REQ_OP_READ ? UBDX_EXTENT_READ : UBDX_EXTENT_WRITE, &range);
	if (unlikely(!table)) {
		ubdx_front_miss(dev, bio);
		return;
	}
	if (unlikely(bio_end_sector(bio) > range.end)) {
		first = ubdx_front_split(bio, range.end);
		if (!first) {
			percpu_ref_put(&table->ref);
			ubdx_front_miss(dev, bio);
			return;
		}
		bio = first;
	}
	/* before the bio can end: the disk can be closed then */
	this_cpu_inc(dev->counts->hits[op == REQ_OP_WRITE]);
	if (unlikely(range.flags & UBDX_EXTENT_HOLE)) {
		ubdx_front_zero(bio);
		percpu_ref_put(&table->ref);
		return;
	}
	if (likely(table->backings[range.file]->bdev))
		hit = ubdx_hit_submit(bio, table, &range);
	else
		hit = ubdx_file_hit(bio, table, &range);
	if (unlikely(!hit)) {
		this_cpu_dec(dev->counts->hits[op == REQ_OP_WRITE]);
		percpu_ref_put(&table->ref);
		ubdx_front_miss(dev, bio);
	}
}

/*
 * The block layer counts FLUSHes on the hidden disk. The visible one shows none, because
 * bdev_start_io_acct() would count them as READs.
 */
static bool ubdx_front_counts(const struct ubdx_slot *slot)
{
	return slot->op != UBDX_OP_FLUSH;
}

/* A request of the hidden disk begins: count it in the visible disk's statistics. */
void ubdx_front_start(struct ubdx_slot *slot)
{
	if (ubdx_front_counts(slot))
		bdev_start_io_acct(slot->q->front->part0, req_op(slot->rq), jiffies);
}

/* A request of the hidden disk ends; @bytes of it have been served. */
void ubdx_front_end(struct ubdx_slot *slot, unsigned int bytes)
{
	if (ubdx_front_counts(slot))
		bdev_end_io_acct(slot->q->front->part0, req_op(slot->rq), bytes >> SECTOR_SHIFT,
				 jiffies - ubdx_slot_age(slot));
}

/*
 * A bio for the hidden disk can still be on the submitter's list of bios after the visible disk was
 * removed. The submitter has the visible disk open, so the hidden disk is freed with the visible
 * one.
 */
static void ubdx_front_free(struct gendisk *disk)
{
	struct ubdx_dev *dev = disk->private_data;

	put_disk(dev->back);
	ubdx_dev_put(dev);
}

static const struct block_device_operations ubdx_front_fops = {
	.owner = THIS_MODULE,
	.submit_bio = ubdx_front_submit,
	.open = ubdx_disk_open,
	.release = ubdx_disk_release,
	.set_read_only = ubdx_disk_set_read_only,
	.free_disk = ubdx_front_free,
};

/**
 * ubdx_front_alloc - make the visible disk in front of dev->back.
 * @dev:	device.
 *
 * The caller takes a reference to the device before it adds the disk. The last put of the disk
 * drops this reference. Returns ERR_PTR on failure.
 */
struct gendisk *ubdx_front_alloc(struct ubdx_dev *dev)
{
	struct queue_limits lim = dev->back->queue->limits;
	struct gendisk *disk;

	lim.dma_alignment = max(lim.dma_alignment, lim.logical_block_size - 1);
	lim.features |= BLK_FEAT_IO_STAT | BLK_FEAT_NOWAIT;
	lim.features &= ~BLK_FEAT_POLL;
	disk = blk_alloc_disk(&lim, dev->params.numa_node);
	if (IS_ERR(disk))
		return disk;
	disk->fops = &ubdx_front_fops;
	return disk;
}

bool ubdx_is_front(const struct gendisk *disk)
{
	return disk->fops == &ubdx_front_fops;
}

/* Returns 0 or -ENOMEM. */
int ubdx_front_init_map(struct ubdx_map *map)
{
	int ret = bioset_init(&map->hits, BIO_POOL_SIZE, offsetof(struct ubdx_hit, clone),
			      BIOSET_PERCPU_CACHE);

	if (ret)
		return ret;
	map->turns = alloc_percpu_gfp(struct ubdx_turns, GFP_KERNEL_ACCOUNT);
	ret = map->turns ? ubdx_file_hits_init(map) : -ENOMEM;
	if (ret) {
		free_percpu(map->turns);
		bioset_exit(&map->hits);
	}
	return ret;
}

void ubdx_front_exit_map(struct ubdx_map *map)
{
	mempool_exit(&map->file_hits);
	free_percpu(map->turns);
	bioset_exit(&map->hits);
}
