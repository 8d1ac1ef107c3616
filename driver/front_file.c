// SPDX-License-Identifier: GPL-2.0
/*
 * front_file.c - bios in extents of a regular file, or of a block device that the server has opened
 * without O_DIRECT. A worker reads and writes the file (file_io.c).
 *
 * A bio that goes beyond the end of the file comes to the server. If the file is truncated during the
 * I/O, the bio fails: the driver can't pass a part of a bio to the server at the end of an I/O, where
 * it must not sleep.
 */
#include <linux/blkdev.h>

#include "extents.h"
#include "file_io.h"

/* A bio that uses an extent of a file. */
struct ubdx_file_hit {
	struct ubdx_file_io io;
	struct ubdx_table *table; /* holds a reference */
	unsigned long start; /* jiffies, for the statistics */
};

static void ubdx_file_hit_done(struct ubdx_file_io *io, long ret)
{
	struct ubdx_file_hit *hit = container_of(io, struct ubdx_file_hit, io);
	struct ubdx_table *table = hit->table;
	struct bio *bio = io->bio;

	/* A second try shows why there were fewer. */
	if (ret > 0 && ret < io->bytes) {
		io->skip += ret;
		io->bytes -= ret;
		io->pos += ret;
		ubdx_file_submit(io, 0);
		return;
	}
	/* As with requests, memory that is short is no error, unless the device's end waits for the bio. */
	if (unlikely(ret == -ENOMEM) &&
	    (rcu_access_pointer(table->map->table) || READ_ONCE(table->map->dev->recovers))) {
		ubdx_file_submit(io, msecs_to_jiffies(UBDX_RETRY_MS));
		return;
	}
	ubdx_file_unguard(io);
	bio_end_io_acct(bio, hit->start);
	if (unlikely(ret <= 0) && !bio->bi_status)
		bio->bi_status = ubdx_status(ret ?: -EIO);
	mempool_free(hit, &table->map->file_hits);
	bio_endio(bio);
	/* last: only this keeps the file, the device and the module */
	percpu_ref_put(&table->ref);
}

/**
 * ubdx_file_hit - send a bio to a file.
 * @bio:	READ or WRITE; all of it lies in @range.
 * @table:	table; its backing for the range has no block device.
 * @range:	extent.
 *
 * Returns true if the bio has been accepted, with the caller's reference to @table. False: the server
 * must serve the bio, because the file has become shorter, or its file system is frozen, or because
 * there is no memory and the submitter can't wait.
 */
bool ubdx_file_hit(struct bio *bio, struct ubdx_table *table, const struct ubdx_range *range)
{
	gfp_t gfp = bio->bi_opf & REQ_NOWAIT ? GFP_NOWAIT : GFP_NOIO;
	const struct bio_vec *bvecs = __bvec_iter_bvec(bio->bi_io_vec, bio->bi_iter);
	struct ubdx_backing *backing = table->backings[range->file];
	sector_t to = range->to + (bio->bi_iter.bi_sector - range->start);
	struct ubdx_file_hit *hit;
	struct bvec_iter iter;
	struct bio_vec bv;

	/* The file can have become shorter since its extents were set. */
	if (!ubdx_backing_has(backing, to + bio_sectors(bio), 0))
		return false;
	hit = mempool_alloc(&table->map->file_hits, gfp);
	if (!hit)
		return false;
	hit->table = table;
	hit->io = (struct ubdx_file_io){
		.backing = backing,
		.bio = bio,
		.opf = bio->bi_opf,
		.bvecs = bvecs,
		.skip = mp_bvec_iter_offset(bio->bi_io_vec, bio->bi_iter) - bvecs->bv_offset,
		.bytes = bio->bi_iter.bi_size,
		.pos = to << SECTOR_SHIFT,
		.done = ubdx_file_hit_done,
	};
	bio_for_each_bvec(bv, bio, iter)
		hit->io.nr_bvecs++;
	if (!ubdx_file_guard(&hit->io)) {
		mempool_free(hit, &table->map->file_hits);
		return false;
	}
	this_cpu_inc(table->map->dev->counts->punted[op_is_write(bio->bi_opf)]);
	hit->start = bio_start_io_acct(bio);
	ubdx_file_submit(&hit->io, 0);
	return true;
}

/* Returns 0 or -ENOMEM. */
int ubdx_file_hits_init(struct ubdx_map *map)
{
	return mempool_init_kmalloc_pool(&map->file_hits, BIO_POOL_SIZE,
					 sizeof(struct ubdx_file_hit));
}
