// SPDX-License-Identifier: GPL-2.0
/*
 * extents.c - extents of a device, which its server leaves with the driver and can revoke. A bio in
 * such an extent goes to the extent's file, and doesn't come to the server (front.c).
 *
 * The extents are a sorted array, struct ubdx_table, which never changes. Each update makes a new
 * table. A bio holds a reference to the table that has its extent, from the look-up to the bio's
 * end. So a table is freed after it was replaced and all bios that have used it have ended. A
 * revocation with UBDX_REVOKE_DRAIN, and the START of the next server, wait until the older tables
 * are gone.
 *
 * A table holds references to the backings (backing.c) of its extents. All extents are revoked when
 * a file that has some is replaced or removed, when the device is handed over, and when its server
 * is aborted.
 *
 * In place of extents a table can have a resolver (resolver.c). It then holds references to all of
 * the server's backings that a resolver can use.
 *
 * Updates run in process context, under map->lock. They must not wait for I/O on the device, so
 * they allocate with noio.
 */
#include <linux/blkdev.h>
#include <linux/sched/mm.h>
#include <linux/sched/signal.h>
#include <linux/slab.h>
#include <linux/sort.h>
#include <linux/uaccess.h>

#include "extents.h"

/* ---- tables ---- */

static void ubdx_table_destroy(struct ubdx_table *table)
{
	unsigned int i;

	for (i = 0; i < UBDX_MAX_FILES; i++)
		if (table->backings[i])
			ubdx_backing_put(table->backings[i]);
	percpu_ref_exit(&table->ref);
	kvfree(table);
}

static void ubdx_table_free(struct work_struct *work)
{
	struct ubdx_table *table = container_of(work, struct ubdx_table, free_work);
	struct ubdx_dev *dev = table->map->dev;

	ubdx_table_destroy(table);
	ubdx_dev_put(dev);
}

/*
 * The last reference is gone, and a grace period has passed since the table was replaced. Any
 * context. Threads that wait until the table is gone must not depend on a worker. So the table is
 * taken off the list here, and a worker only frees it.
 */
static void ubdx_table_unused(struct percpu_ref *ref)
{
	struct ubdx_table *table = container_of(ref, struct ubdx_table, ref);
	struct ubdx_map *map = table->map;
	unsigned long flags;

	spin_lock_irqsave(&map->tables_lock, flags);
	list_del(&table->list);
	spin_unlock_irqrestore(&map->tables_lock, flags);
	wake_up_all(&map->changed);
	queue_work(ubdx_io_wq, &table->free_work);
}

static struct ubdx_table *ubdx_table_alloc(struct ubdx_map *map, unsigned int nr)
{
	struct ubdx_table *table = kvzalloc(struct_size(table, ranges, nr), GFP_KERNEL_ACCOUNT);

	if (!table)
		return NULL;
	/* NOWAIT: the kernel's mutex for percpu memory may be held by a task that waits for our I/O. */
	if (percpu_ref_init(&table->ref, ubdx_table_unused, 0,
			    GFP_NOWAIT | __GFP_ACCOUNT | __GFP_NOWARN)) {
		kvfree(table);
		return NULL;
	}
	table->map = map;
	table->nr = nr;
	INIT_WORK(&table->free_work, ubdx_table_free);
	return table;
}

/* Make @table the present one; NULL: there are no extents any more. */
static void ubdx_table_publish(struct ubdx_map *map, struct ubdx_table *table)
{
	struct ubdx_table *old;

	lockdep_assert_held(&map->lock);

	WRITE_ONCE(map->generation, map->generation + 1);
	if (table) {
		get_device(&map->dev->device);
		table->generation = map->generation;
		spin_lock_irq(&map->tables_lock);
		list_add_tail(&table->list, &map->tables);
		spin_unlock_irq(&map->tables_lock);
	}
	old = rcu_replace_pointer(map->table, table, lockdep_is_held(&map->lock));
	if (old)
		percpu_ref_kill(&old->ref);
}

/* Revoke everything. Needs no memory. */
static void ubdx_table_clear(struct ubdx_map *map)
{
	ubdx_keep_forget(map);
	WRITE_ONCE(map->resolver, NULL);
	if (rcu_access_pointer(map->table))
		ubdx_table_publish(map, NULL);
}

/* Is the file a disk with extents itself? */
static bool ubdx_backing_is_front(const struct ubdx_backing *backing)
{
	return S_ISBLK(file_inode(backing->file)->i_mode) &&
	       ubdx_is_front(file_bdev(backing->file)->bd_disk);
}

/* Make a new version with this resolver and the files that the server has now. */
static int ubdx_table_resolve(struct ubdx_map *map, struct ubdx_server *srv,
			      const struct ubdx_resolver *resolver)
{
	struct ubdx_table *table = ubdx_table_alloc(map, 0);
	struct ubdx_backing *backing;
	unsigned int i;

	if (!table)
		return -ENOMEM;
	table->resolver = resolver;
	for (i = 0; i < UBDX_MAX_FILES; i++) {
		backing = ubdx_backing_get(srv, i);
		if (!backing)
			continue;
		if (ubdx_backing_is_front(backing))
			ubdx_backing_put(backing);
		else
			table->backings[i] = backing;
	}
	WRITE_ONCE(map->resolver, resolver);
	ubdx_table_publish(map, table);
	return 0;
}

/*
 * The server that can have extents, or NULL. It can't be freed while the caller holds map->lock: its
 * abort must close the map first.
 */
struct ubdx_server *ubdx_map_server(struct ubdx_map *map)
{
	struct ubdx_server_queue *srvq;
	struct ubdx_server *srv;

	lockdep_assert_held(&map->lock);
	rcu_read_lock();
	srvq = rcu_dereference(map->dev->queues[0]->srvq);
	srv = srvq && !srvq->srv->map_closed ? srvq->srv : NULL;
	rcu_read_unlock();
	return srv;
}

/* Lock the map. Allocations must not wait for I/O on the device then. Returns what unlocking needs. */
unsigned int ubdx_map_lock(struct ubdx_map *map)
{
	mutex_lock(&map->lock);
	return memalloc_noio_save();
}

void ubdx_map_unlock(struct ubdx_map *map, unsigned int noio)
{
	memalloc_noio_restore(noio);
	mutex_unlock(&map->lock);
}

/* ---- edits ---- */

/* Can @to be appended to @range? Then it begins where @range ends, on device and backing. */
static bool ubdx_range_goes_on(const struct ubdx_range *range, const struct ubdx_range *to)
{
	return range->end == to->start && range->flags == to->flags &&
	       (range->flags & UBDX_EXTENT_HOLE ||
		(range->file == to->file && range->to + (range->end - range->start) == to->to));
}

static void ubdx_range_cut(struct ubdx_range *range, sector_t start)
{
	range->to += start - range->start;
	range->start = start;
}

static unsigned int ubdx_range_emit(struct ubdx_range *out, unsigned int nr,
				    const struct ubdx_range *range)
{
	if (nr && ubdx_range_goes_on(&out[nr - 1], range)) {
		out[nr - 1].end = range->end;
		return nr;
	}
	out[nr] = *range;
	return nr + 1;
}

/*
 * Apply @edits to @old: each edit replaces what @old has for its sectors. Each of these arrays is
 * sorted, and its elements don't overlap. @out has room for nr_old + 2 * nr_edits ranges. Returns
 * how many @out has in the end.
 */
static unsigned int ubdx_ranges_edit(struct ubdx_range *out, const struct ubdx_range *old,
				     unsigned int nr_old, const struct ubdx_range *edits,
				     unsigned int nr_edits)
{
	unsigned int i = 0, j = 0, nr = 0;
	struct ubdx_range range = {};
	bool have = false;

	for (;;) {
		const struct ubdx_range *edit = j < nr_edits ? &edits[j] : NULL;

		if (!have && i < nr_old) {
			range = old[i++];
			have = true;
		}
		if (!have && !edit)
			return nr;
		if (have && (!edit || range.end <= edit->start)) {
			nr = ubdx_range_emit(out, nr, &range);
			have = false;
		} else if (have && range.start < edit->start) {
			struct ubdx_range left = range;

			left.end = edit->start;
			nr = ubdx_range_emit(out, nr, &left);
			ubdx_range_cut(&range, edit->start);
		} else if (have && range.end <= edit->end) {
			have = false;
		} else {
			if (have && range.start < edit->end)
				ubdx_range_cut(&range, edit->end);
			if (edit->flags)
				nr = ubdx_range_emit(out, nr, edit);
			j++;
		}
	}
}

/*
 * Take references to the backings of the table's ranges. A backing is in @old, or else is @srv's
 * present file with that index. Returns 0 or -EBADF.
 */
static int ubdx_table_hold(struct ubdx_table *table, const struct ubdx_table *old,
			   struct ubdx_server *srv)
{
	struct ubdx_backing *backing;
	unsigned int i;

	for (i = 0; i < table->nr; i++) {
		const struct ubdx_range *range = &table->ranges[i];

		if (range->flags & UBDX_EXTENT_HOLE || table->backings[range->file])
			continue;
		backing = old ? old->backings[range->file] : NULL;
		if (backing)
			percpu_ref_get(&backing->ref);
		else
			backing = ubdx_backing_get(srv, range->file);
		if (!backing)
			return -EBADF;
		table->backings[range->file] = backing;
	}
	return 0;
}

/* Can @edit, which isn't a hole, be used as it says? Returns 0 or an error of UBDX_IOC_MAP. */
int ubdx_edit_check(const struct ubdx_backing *backing, const struct ubdx_range *edit)
{
	if (ubdx_backing_is_front(backing))
		return -ELOOP;
	if ((edit->flags & UBDX_EXTENT_READ && !(backing->file->f_mode & FMODE_READ)) ||
	    (edit->flags & UBDX_EXTENT_WRITE && !(backing->file->f_mode & FMODE_WRITE)))
		return -EBADF;
	if (!ubdx_backing_has(backing, edit->to + (edit->end - edit->start), edit->flags))
		return -EINVAL;
	return 0;
}

/*
 * Can each edit be used as it says, with the backing that the table has for it? The caller holds
 * map->lock, so these are the backings that will be used.
 */
static int ubdx_edits_check(const struct ubdx_table *table, const struct ubdx_range *edits,
			    unsigned int nr_edits)
{
	const struct ubdx_backing *backing;
	unsigned int i;
	int ret;

	for (i = 0; i < nr_edits; i++) {
		const struct ubdx_range *edit = &edits[i];

		if (!edit->flags || edit->flags & UBDX_EXTENT_HOLE)
			continue;
		backing = table->backings[edit->file];
		ret = ubdx_edit_check(backing, edit);
		if (ret)
			return ret;
	}
	return 0;
}

/* Make a new version with these edits. @limit: how many ranges it may have. */
int ubdx_map_edit(struct ubdx_map *map, struct ubdx_server *srv, const struct ubdx_range *edits,
		  unsigned int nr_edits, unsigned int limit)
{
	struct ubdx_table *old, *table;
	unsigned int nr_old, nr;
	int ret;

	old = rcu_dereference_protected(map->table, lockdep_is_held(&map->lock));
	nr_old = old ? old->nr : 0;
	table = ubdx_table_alloc(map, nr_old + 2 * nr_edits);
	if (!table)
		return -ENOMEM;
	nr = ubdx_ranges_edit(table->ranges, old ? old->ranges : NULL, nr_old, edits, nr_edits);
	table->nr = nr;
	ret = nr > limit ? -ENOSPC : ubdx_table_hold(table, old, srv);
	if (!ret)
		ret = ubdx_edits_check(table, edits, nr_edits);
	if (ret || !nr) {
		ubdx_table_destroy(table);
		table = NULL;
	}
	if (!ret)
		ubdx_table_publish(map, table);
	return ret;
}

/*
 * Edit the server's extents. @limit: how many ranges the map may have; UINT_MAX for a revocation.
 * @generation: out: when all versions older than this are gone, nothing uses what was replaced.
 */
static int ubdx_map_edit_as(struct ubdx_server *srv, const struct ubdx_range *edits,
			    unsigned int nr_edits, unsigned int limit, u64 *generation)
{
	struct ubdx_map *map = srv->dev->map;
	unsigned int noio;
	int ret;

	noio = ubdx_map_lock(map);
	ubdx_keep_forget(map);
	if (srv->map_closed)
		ret = -ENODEV;
	else if (!map->resolver)
		ret = ubdx_map_edit(map, srv, edits, nr_edits, limit);
	else
		ret = limit == UINT_MAX ? ubdx_table_resolve(map, srv, map->resolver) : -EBUSY;
	/* A revocation must not fail. Without extents everything comes to the server. */
	if (ret == -ENOMEM && limit == UINT_MAX) {
		ubdx_table_clear(map);
		ret = 0;
	}
	*generation = map->generation;
	ubdx_map_unlock(map, noio);
	return ret;
}

/* ---- what the server asks for ---- */

int ubdx_range_compare(const void *a, const void *b)
{
	const struct ubdx_range *x = a, *y = b;

	return x->start < y->start ? -1 : x->start > y->start;
}

/* Check an extent that the server has passed, and convert it. */
static int ubdx_range_parse(struct ubdx_server *srv, const struct ubdx_map_extent *extent,
			    struct ubdx_range *range)
{
	u64 sectors = srv->dev->params.dev_sectors, mask = srv->dev->map->block_sectors - 1;
	bool hole = extent->flags & UBDX_EXTENT_HOLE;

	if (extent->flags & ~UBDX_EXTENT_FLAGS || extent->reserved || !extent->flags ||
	    !extent->nr_sectors || extent->nr_sectors > sectors ||
	    extent->sector > sectors - extent->nr_sectors ||
	    (extent->sector | extent->nr_sectors) & mask)
		return -EINVAL;
	if (extent->flags & UBDX_EXTENT_WRITE &&
	    (hole || srv->dev->params.attrs & UBDX_ATTR_READ_ONLY))
		return -EINVAL;
	if (hole && (!(extent->flags & UBDX_EXTENT_READ) || extent->file || extent->offset))
		return -EINVAL;
	if (extent->offset & (srv->dev->params.logical_block_size - 1) ||
	    extent->offset > LLONG_MAX - (extent->nr_sectors << SECTOR_SHIFT))
		return -EINVAL;
	*range = (struct ubdx_range){
		.start = extent->sector,
		.end = extent->sector + extent->nr_sectors,
		.to = extent->offset >> SECTOR_SHIFT,
		.file = extent->file,
		.flags = extent->flags,
	};
	return extent->file < UBDX_MAX_FILES ? 0 : -EBADF;
}

static int ubdx_ranges_parse(struct ubdx_server *srv, const struct ubdx_map_extent *extents,
			     struct ubdx_range *ranges, unsigned int nr)
{
	unsigned int i;
	int ret;

	for (i = 0; i < nr; i++) {
		ret = ubdx_range_parse(srv, &extents[i], &ranges[i]);
		if (ret)
			return ret;
	}
	sort(ranges, nr, sizeof(*ranges), ubdx_range_compare, NULL);
	for (i = 1; i < nr; i++)
		if (ranges[i].start < ranges[i - 1].end)
			return -EINVAL;
	return 0;
}

/**
 * ubdx_map_set - UBDX_IOC_MAP: leave extents with the driver.
 * @srv:	server; the caller is one of its tasks.
 * @arg:	see struct ubdx_map_args.
 *
 * Returns 0 or an error, see UBDX_IOC_MAP.
 */
int ubdx_map_set(struct ubdx_server *srv, struct ubdx_map_args *arg)
{
	struct ubdx_map_extent *extents;
	struct ubdx_range *ranges;
	u64 generation;
	int ret;

	if (!srv->dev->map)
		return -EOPNOTSUPP;
	if (!srv->trusted)
		return -EPERM;
	/* Before START, I/O in the extents of the last server may still be under way. */
	if (rcu_access_pointer(srv->dev->queues[0]->srvq) != srv->queues[0])
		return -EAGAIN;
	if (!arg->nr || arg->nr > UBDX_MAX_MAP_EXTENTS || arg->reserved)
		return -EINVAL;
	extents = vmemdup_array_user(u64_to_user_ptr(arg->addr), arg->nr, sizeof(*extents));
	if (IS_ERR(extents))
		return PTR_ERR(extents);
	ret = -ENOMEM;
	ranges = kvmalloc_array(arg->nr, sizeof(*ranges), GFP_KERNEL_ACCOUNT);
	if (ranges)
		ret = ubdx_ranges_parse(srv, extents, ranges, arg->nr);
	if (!ret)
		ret = ubdx_map_edit_as(srv, ranges, arg->nr, UBDX_MAX_MAP_EXTENTS, &generation);
	kvfree(ranges);
	kvfree(extents);
	return ret;
}

/* Are all tables older than @generation gone? */
static bool ubdx_map_is_drained(struct ubdx_map *map, u64 generation)
{
	struct ubdx_table *oldest;
	bool drained;

	spin_lock_irq(&map->tables_lock);
	oldest = list_first_entry_or_null(&map->tables, struct ubdx_table, list);
	drained = !oldest || oldest->generation >= generation;
	spin_unlock_irq(&map->tables_lock);
	return drained;
}

/* An ioctl need not be repeated after each signal. A worker of a ring that exits must leave. */
static int ubdx_map_drain(struct ubdx_map *map, u64 generation)
{
	if (current->flags & PF_IO_WORKER)
		return wait_event_interruptible(map->changed, ubdx_map_is_drained(map, generation));
	return wait_event_killable(map->changed, ubdx_map_is_drained(map, generation));
}

/**
 * ubdx_map_revoke - UBDX_IOC_REVOKE and UBDX_CMD_REVOKE: take extents back.
 * @srv:	server; the caller is one of its tasks.
 * @arg:	see struct ubdx_revoke.
 *
 * Returns 0 or an error, see UBDX_IOC_REVOKE.
 */
int ubdx_map_revoke(struct ubdx_server *srv, const struct ubdx_revoke *arg)
{
	const struct ubdx_range edit = {
		.start = arg->sector,
		.end = arg->sector + arg->nr_sectors,
	};
	struct ubdx_map *map = srv->dev->map;
	u64 generation;
	int ret;

	if (!map)
		return -EOPNOTSUPP;
	if (arg->flags & ~UBDX_REVOKE_DRAIN || arg->reserved || edit.end <= edit.start ||
	    (edit.start | edit.end) & (map->block_sectors - 1))
		return -EINVAL;
	ret = ubdx_map_edit_as(srv, &edit, 1, UINT_MAX, &generation);
	/* also when the extents were revoked before: -ENODEV */
	if (arg->flags & UBDX_REVOKE_DRAIN && ubdx_map_drain(map, generation))
		return -EINTR;
	return ret;
}

/* ---- revocations by the driver ---- */

/*
 * The server has another file at @index now, or none. If the table of extents refers to the old file,
 * revoke all extents. A resolver gets a table with the new file.
 */
static void ubdx_map_file_changed(struct ubdx_map *map, struct ubdx_server *srv, u32 index)
{
	struct ubdx_table *table;

	table = rcu_dereference_protected(map->table, lockdep_is_held(&map->lock));
	if (map->resolver) {
		if (ubdx_table_resolve(map, srv, map->resolver))
			ubdx_table_clear(map);
	} else if (table && table->backings[index]) {
		ubdx_table_clear(map);
	}
}

/**
 * ubdx_map_swap_file - as ubdx_backing_swap(), on a device with a map.
 * @srv:	server.
 * @index:	the file's number.
 * @backing:	the new file, or NULL.
 *
 * The map is locked, so that no extent of the old file gets into a table with the new one.
 */
int ubdx_map_swap_file(struct ubdx_server *srv, u32 index, struct ubdx_backing *backing)
{
	struct ubdx_map *map = srv->dev->map;
	unsigned int noio;
	int ret;

	noio = ubdx_map_lock(map);
	ret = ubdx_backing_swap(srv, index, backing);
	if (!srv->map_closed) {
		ubdx_keep_forget(map);
		ubdx_map_file_changed(map, srv, index);
	}
	ubdx_map_unlock(map, noio);
	return ret;
}

/**
 * ubdx_map_set_resolver - let a resolver answer for the device, in place of its extents.
 * @dev:	device with a map.
 * @resolver:	resolver, or NULL: none, and no extents.
 *
 * Returns 0; -ENODEV: no server serves the device, or its server is dead or being replaced; -EPERM:
 * the server had no CAP_SYS_ADMIN when it opened the channel; -ENOMEM. Nothing has changed after an
 * error.
 */
int ubdx_map_set_resolver(struct ubdx_dev *dev, const struct ubdx_resolver *resolver)
{
	struct ubdx_map *map = dev->map;
	struct ubdx_server *srv;
	unsigned int noio;
	int ret = 0;

	noio = ubdx_map_lock(map);
	srv = ubdx_map_server(map);
	if (!srv)
		ret = -ENODEV;
	else if (!srv->trusted)
		ret = -EPERM;
	else if (resolver)
		ret = ubdx_table_resolve(map, srv, resolver);
	else if (map->resolver)
		ubdx_table_clear(map);
	ubdx_map_unlock(map, noio);
	return ret;
}

/* @resolver is being unregistered. */
void ubdx_map_forget_resolver(struct ubdx_map *map, const struct ubdx_resolver *resolver)
{
	mutex_lock(&map->lock);
	if (map->resolver == resolver)
		ubdx_table_clear(map);
	mutex_unlock(&map->lock);
}

/**
 * ubdx_map_suspend - the device is handed over: revoke all extents, and take no new ones.
 * @srv:	server.
 * @suspend:	false: the hand-over has failed, so the server can leave extents again.
 */
void ubdx_map_suspend(struct ubdx_server *srv, bool suspend)
{
	struct ubdx_map *map = srv->dev->map;

	if (!map)
		return;
	mutex_lock(&map->lock);
	/* If the server has died meanwhile: ubdx_map_close() has come already, or will come. */
	srv->map_closed = suspend || READ_ONCE(srv->queues[0]->dead);
	if (suspend)
		ubdx_table_clear(map);
	mutex_unlock(&map->lock);
}

/**
 * ubdx_map_close - the server is aborted: revoke all of its extents, and accept no more.
 * @srv:	server.
 */
void ubdx_map_close(struct ubdx_server *srv)
{
	struct ubdx_map *map = srv->dev->map;

	if (!map)
		return;
	mutex_lock(&map->lock);
	if (!srv->map_closed) {
		srv->map_closed = true;
		ubdx_table_clear(map);
	}
	mutex_unlock(&map->lock);
}

/* Is I/O under way that uses extents of earlier versions? */
bool ubdx_map_is_busy(struct ubdx_map *map)
{
	return map && !ubdx_map_is_drained(map, READ_ONCE(map->generation));
}

/* Wait for the end of all I/O that has used extents. The caller has closed the map. */
void ubdx_map_wait(struct ubdx_map *map)
{
	if (!map || wait_event_timeout(map->changed, ubdx_map_is_drained(map, U64_MAX), HZ))
		return;
	pr_warn("ubdx: ubdxb%d: its removal waits for I/O in its extents\n", map->dev->id);
	wait_event(map->changed, ubdx_map_is_drained(map, U64_MAX));
}

/* The number of extents. */
unsigned int ubdx_map_count(struct ubdx_map *map)
{
	struct ubdx_table *table;
	unsigned int nr;

	rcu_read_lock();
	table = rcu_dereference(map->table);
	nr = table ? table->nr : 0;
	rcu_read_unlock();
	return nr;
}

struct ubdx_map *ubdx_map_alloc(struct ubdx_dev *dev)
{
	struct ubdx_map *map = kzalloc(sizeof(*map), GFP_KERNEL_ACCOUNT);

	if (!map)
		return NULL;
	map->dev = dev;
	map->block_sectors = dev->params.logical_block_size >> SECTOR_SHIFT;
	mutex_init(&map->lock);
	spin_lock_init(&map->tables_lock);
	INIT_LIST_HEAD(&map->tables);
	init_waitqueue_head(&map->changed);
	if (ubdx_front_init_map(map))
		goto free;
	if (ubdx_keep_init(map))
		goto exit_front;
	ubdx_resolver_add_map(map);
	return map;

exit_front:
	ubdx_front_exit_map(map);
free:
	kfree(map);
	return NULL;
}

void ubdx_map_free(struct ubdx_map *map)
{
	if (!map)
		return;
	ubdx_resolver_del_map(map);
	ubdx_keep_exit(map);
	ubdx_front_exit_map(map);
	kfree(map);
}
