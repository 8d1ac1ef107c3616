// SPDX-License-Identifier: GPL-2.0
/*
 * keep.c - extents that come with an answer (UBDX_COMMIT_KEEP). Each update copies the whole table. So
 * these extents are collected, and a worker adds them all in one update a moment later.
 *
 * The server can have chosen an answer before the last revocation, and commit the answer after it.
 * So an extent isn't kept if its request came before the last MAP or revocation, or in the same jiffy. A
 * request that came later was answered by a server that knew what it had revoked.
 */
#include <linux/blk-mq.h>
#include <linux/slab.h>
#include <linux/sort.h>

#include "extents.h"

#define UBDX_MAX_KEPT 256
#define UBDX_KEEP_DELAY_MS 10

/* An extent that waits. */
struct ubdx_kept {
	struct ubdx_range range;
	unsigned long came; /* jiffies when its request came */
};

/**
 * struct ubdx_keep - the extents that wait.
 * @map:	the map.
 * @lock:	protects @nr, @kept and the counters; a leaf.
 * @nr:		number of @kept.
 * @work:	puts them into a table.
 * @kept:	in any order; they may overlap.
 * @edits:	of the worker.
 * @done:	how many extents are in a table, or have been.
 * @dropped:	how many were not kept: out of date, too many, or refused.
 */
struct ubdx_keep {
	struct ubdx_map *map;
	spinlock_t lock;
	unsigned int nr;
	struct delayed_work work;
	u64 done, dropped;
	struct ubdx_kept kept[UBDX_MAX_KEPT];
	struct ubdx_range edits[UBDX_MAX_KEPT];
};

/* Take the extents that aren't out of date. Returns their number. */
static unsigned int ubdx_keep_take(struct ubdx_keep *keep)
{
	unsigned int i, nr = 0;

	spin_lock(&keep->lock);
	for (i = 0; i < keep->nr; i++) {
		if (time_after(keep->kept[i].came, keep->map->changed_at))
			keep->edits[nr++] = keep->kept[i].range;
		else
			keep->dropped++;
	}
	keep->nr = 0;
	spin_unlock(&keep->lock);
	return nr;
}

/* Sort, and drop those that overlap with another. Returns how many are left. */
static unsigned int ubdx_keep_sort(struct ubdx_range *edits, unsigned int nr)
{
	unsigned int i, left = 0;

	sort(edits, nr, sizeof(*edits), ubdx_range_compare, NULL);
	for (i = 0; i < nr; i++)
		if (!left || edits[i].start >= edits[left - 1].end)
			edits[left++] = edits[i];
	return left;
}

/* One that MAP would refuse must not cost the others. Returns how many are in the table. */
static unsigned int ubdx_keep_edit(struct ubdx_map *map, struct ubdx_server *srv,
				   struct ubdx_range *edits, unsigned int nr)
{
	struct ubdx_backing *backing;
	unsigned int i, left = 0;

	for (i = 0; i < nr; i++) {
		backing = ubdx_backing_get(srv, edits[i].file);
		if (!backing)
			continue;
		if (!ubdx_edit_check(backing, &edits[i]))
			edits[left++] = edits[i];
		ubdx_backing_put(backing);
	}
	return left && !ubdx_map_edit(map, srv, edits, left, UBDX_MAX_MAP_EXTENTS) ? left : 0;
}

static void ubdx_keep_work(struct work_struct *work)
{
	struct ubdx_keep *keep = container_of(to_delayed_work(work), struct ubdx_keep, work);
	struct ubdx_map *map = keep->map;
	unsigned int nr, done = 0, noio;
	struct ubdx_server *srv;

	noio = ubdx_map_lock(map);
	srv = ubdx_map_server(map);
	nr = ubdx_keep_take(keep);
	if (nr && srv && srv->trusted && !map->resolver)
		done = ubdx_keep_edit(map, srv, keep->edits, ubdx_keep_sort(keep->edits, nr));
	spin_lock(&keep->lock);
	keep->done += done;
	keep->dropped += nr - done;
	spin_unlock(&keep->lock);
	ubdx_map_unlock(map, noio);
}

/* Is it an extent that a table can have? */
static bool ubdx_keep_fits(const struct ubdx_map *map, sector_t sector,
			   const struct ubdx_extent *extent)
{
	u64 bytes = sector << SECTOR_SHIFT | extent->offset | extent->bytes;

	return !(bytes & ((map->block_sectors << SECTOR_SHIFT) - 1)) && extent->bytes &&
	       extent->file < UBDX_MAX_FILES;
}

/**
 * ubdx_map_keep - keep the extents of an answer, if that can be done.
 * @slot:	slot of the request. The caller owns it.
 * @extents:	where the request's bytes are, in order; checked as an answer.
 * @nr:		number of them.
 * @flags:	UBDX_COMMIT_*.
 *
 * Doesn't sleep.
 */
void ubdx_map_keep(const struct ubdx_slot *slot, const struct ubdx_extent *extents, unsigned int nr,
		   u32 flags)
{
	struct ubdx_map *map = slot->q->dev->map;
	/* read before the age, so that an error makes the request older */
	unsigned long now = jiffies, came = now - ubdx_slot_age(slot);
	sector_t sector = blk_rq_pos(slot->rq);
	struct ubdx_keep *keep;
	struct ubdx_range range;
	unsigned int i;

	if (!map)
		return;
	keep = map->keep;
	range.flags = UBDX_EXTENT_READ;
	if (flags & UBDX_COMMIT_KEEP_WRITES && !(slot->q->dev->params.attrs & UBDX_ATTR_READ_ONLY))
		range.flags |= UBDX_EXTENT_WRITE;
	spin_lock(&keep->lock);
	for (i = 0; i < nr; i++) {
		range.start = sector;
		sector += extents[i].bytes >> SECTOR_SHIFT;
		range.end = sector;
		range.to = extents[i].offset >> SECTOR_SHIFT;
		range.file = extents[i].file;
		if (keep->nr == UBDX_MAX_KEPT || !ubdx_keep_fits(map, range.start, &extents[i])) {
			keep->dropped++;
			continue;
		}
		keep->kept[keep->nr].range = range;
		keep->kept[keep->nr++].came = came;
	}
	spin_unlock(&keep->lock);
	queue_delayed_work(ubdx_wq, &keep->work, msecs_to_jiffies(UBDX_KEEP_DELAY_MS));
}

/* The extents have changed, so all extents of earlier answers are out of date. The caller has map->lock. */
void ubdx_keep_forget(struct ubdx_map *map)
{
	struct ubdx_keep *keep = map->keep;

	lockdep_assert_held(&map->lock);
	map->changed_at = jiffies;
	spin_lock(&keep->lock);
	keep->dropped += keep->nr;
	keep->nr = 0;
	spin_unlock(&keep->lock);
}

/* How many extents of answers were kept, and how many dropped. */
void ubdx_keep_counts(struct ubdx_map *map, u64 *done, u64 *dropped)
{
	spin_lock(&map->keep->lock);
	*done = map->keep->done;
	*dropped = map->keep->dropped;
	spin_unlock(&map->keep->lock);
}

/* Returns 0 or -ENOMEM. */
int ubdx_keep_init(struct ubdx_map *map)
{
	struct ubdx_keep *keep = kvzalloc(sizeof(*keep), GFP_KERNEL_ACCOUNT);

	if (!keep)
		return -ENOMEM;
	keep->map = map;
	spin_lock_init(&keep->lock);
	INIT_DELAYED_WORK(&keep->work, ubdx_keep_work);
	map->keep = keep;
	map->changed_at = jiffies;
	return 0;
}

void ubdx_keep_exit(struct ubdx_map *map)
{
	cancel_delayed_work_sync(&map->keep->work);
	kvfree(map->keep);
}
