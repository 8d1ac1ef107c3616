/* SPDX-License-Identifier: GPL-2.0 */
/*
 * extents.h - the extents that a server has left with the driver (extents.c), and the front disk
 * that looks bios up in them (front.c).
 */
#ifndef UBDX_EXTENTS_H
#define UBDX_EXTENTS_H

#include <linux/bio.h>
#include <linux/mempool.h>
#include <linux/percpu-refcount.h>
#include <linux/rcupdate.h>

#include "backing.h"
#include "uapi/ubdx_resolver.h"

/* Sectors of the device, and where they are. */
struct ubdx_range {
	sector_t start;
	sector_t end; /* the first sector after the range */
	sector_t to; /* where @start is on the backing */
	u16 file; /* the backing's index */
	u16 flags; /* UBDX_EXTENT_*; 0, only in an edit: remove what was there */
};

/**
 * struct ubdx_table - one version of a device's extents. It never changes.
 * @ref:	held by the map while this is the present version, and by each bio that uses it.
 * @map:	the map.
 * @generation:	of the map when the table was published.
 * @list:	in map->tables.
 * @free_work:	frees the table.
 * @resolver:	answers instead of @ranges, see resolver.c; or NULL.
 * @backings:	by file index; each holds a reference, or is NULL.
 * @nr:		number of @ranges.
 * @ranges:	sorted; they don't overlap.
 */
struct ubdx_table {
	struct percpu_ref ref;
	struct ubdx_map *map;
	u64 generation;
	struct list_head list;
	struct work_struct free_work;
	const struct ubdx_resolver *resolver;
	struct ubdx_backing *backings[UBDX_MAX_FILES];
	unsigned int nr;
	struct ubdx_range ranges[] __counted_by(nr);
};

/**
 * struct ubdx_turns - counts clones of one bio, see ubdx_turn().
 * @last:	bi_io_vec of the last bio in an extent; only compared.
 * @of:		payload of the bios that are counted, see ubdx_bio_start().
 * @nr:		counts the payloads.
 * @in_flight:	how many bios with this payload are in flight, but the first.
 */
struct ubdx_turns {
	const struct bio_vec *last;
	unsigned long of;
	u32 nr;
	atomic_t in_flight;
};

/**
 * struct ubdx_map - the extents of a device.
 * @dev:	device. The map holds no reference to it, but each table does.
 * @table:	the present version, or NULL: no extents.
 * @resolver:	of the present version and the next ones, or NULL. Written under @lock.
 * @block_sectors: the device's logical block, in sectors.
 * @maps:	in the list of all maps, see resolver.c.
 * @lock:	serialises new versions.
 * @tables_lock: protects @tables; a leaf.
 * @tables:	all versions that are in use, the oldest first.
 * @generation:	counts versions.
 * @changed_at:	jiffies of the last MAP or revocation. Written under @lock.
 * @keep:	see keep.c.
 * @turns:	see front.c.
 * @told:	the administrator was told that bios go in circles.
 * @changed:	woken when a version is gone.
 * @hits:	memory for the clones of bios, see front.c. Devices don't share it, because they can
 *		be stacked.
 * @file_hits:	memory for I/O on files, see front_file.c.
 */
struct ubdx_map {
	struct ubdx_dev *dev;
	struct ubdx_table __rcu *table;
	const struct ubdx_resolver *resolver;
	u32 block_sectors;
	struct list_head maps;
	struct mutex lock;
	spinlock_t tables_lock;
	struct list_head tables;
	u64 generation;
	unsigned long changed_at;
	struct ubdx_keep *keep;
	struct ubdx_turns __percpu *turns;
	bool told;
	wait_queue_head_t changed;
	struct bio_set hits;
	mempool_t file_hits;
};

/* ---- extents.c ---- */

struct ubdx_map *ubdx_map_alloc(struct ubdx_dev *dev);
void ubdx_map_free(struct ubdx_map *map);
unsigned int ubdx_map_lock(struct ubdx_map *map);
void ubdx_map_unlock(struct ubdx_map *map, unsigned int noio);
struct ubdx_server *ubdx_map_server(struct ubdx_map *map);
int ubdx_edit_check(const struct ubdx_backing *backing, const struct ubdx_range *edit);
int ubdx_range_compare(const void *a, const void *b);
int ubdx_map_edit(struct ubdx_map *map, struct ubdx_server *srv, const struct ubdx_range *edits,
		  unsigned int nr_edits, unsigned int limit);
void ubdx_map_suspend(struct ubdx_server *srv, bool suspend);
int ubdx_map_set(struct ubdx_server *srv, struct ubdx_map_args *arg);
int ubdx_map_revoke(struct ubdx_server *srv, const struct ubdx_revoke *arg);
void ubdx_map_close(struct ubdx_server *srv);
int ubdx_map_swap_file(struct ubdx_server *srv, u32 index, struct ubdx_backing *backing);
int ubdx_map_set_resolver(struct ubdx_dev *dev, const struct ubdx_resolver *resolver);
void ubdx_map_forget_resolver(struct ubdx_map *map, const struct ubdx_resolver *resolver);
bool ubdx_map_is_busy(struct ubdx_map *map);
void ubdx_map_wait(struct ubdx_map *map);
unsigned int ubdx_map_count(struct ubdx_map *map);

/*
 * Find the extent that has this sector. The caller is in an RCU read-side section. Returns NULL if
 * no extent has the sector.
 */
static __always_inline const struct ubdx_range *ubdx_table_find(const struct ubdx_table *table,
								sector_t start)
{
	unsigned int low = 0, high = table->nr;
	const struct ubdx_range *range;

	/* the last one that starts at or before @start */
	while (high - low > 1) {
		unsigned int middle = (low + high) / 2;

		if (table->ranges[middle].start <= start)
			low = middle;
		else
			high = middle;
	}
	range = &table->ranges[low];
	return start >= range->start && start < range->end ? range : NULL;
}

/* ---- keep.c ---- */

void ubdx_map_keep(const struct ubdx_slot *slot, const struct ubdx_extent *extents, unsigned int nr,
		   u32 flags);
void ubdx_keep_forget(struct ubdx_map *map);
void ubdx_keep_counts(struct ubdx_map *map, u64 *done, u64 *dropped);
int ubdx_keep_init(struct ubdx_map *map);
void ubdx_keep_exit(struct ubdx_map *map);

/* ---- resolver.c ---- */

#ifdef CONFIG_DEBUG_INFO_BTF_MODULES
bool ubdx_resolver_find(const struct ubdx_table *table, const struct bio *bio, u16 flag,
			struct ubdx_range *range);
int ubdx_resolver_attach(struct ubdx_dev *dev, const char *name);
ssize_t ubdx_resolver_show(struct ubdx_dev *dev, char *buf);
void ubdx_resolver_add_map(struct ubdx_map *map);
void ubdx_resolver_del_map(struct ubdx_map *map);
void ubdx_resolvers_init(void);
#else
static inline bool ubdx_resolver_find(const struct ubdx_table *table, const struct bio *bio,
				      u16 flag, struct ubdx_range *range)
{
	return false;
}
static inline int ubdx_resolver_attach(struct ubdx_dev *dev, const char *name)
{
	return sysfs_streq(name, "none") ? ubdx_map_set_resolver(dev, NULL) : -EOPNOTSUPP;
}
static inline ssize_t ubdx_resolver_show(struct ubdx_dev *dev, char *buf)
{
	return sysfs_emit(buf, "[none]\n");
}
static inline void ubdx_resolver_add_map(struct ubdx_map *map)
{
}
static inline void ubdx_resolver_del_map(struct ubdx_map *map)
{
}
static inline void ubdx_resolvers_init(void)
{
}
#endif

/* ---- front.c ---- */

void ubdx_front_start(struct ubdx_slot *slot);
void ubdx_front_end(struct ubdx_slot *slot, unsigned int bytes);

struct gendisk *ubdx_front_alloc(struct ubdx_dev *dev);
int ubdx_front_init_map(struct ubdx_map *map);
void ubdx_front_exit_map(struct ubdx_map *map);
bool ubdx_is_front(const struct gendisk *disk);

/* ---- front_file.c ---- */

bool ubdx_file_hit(struct bio *bio, struct ubdx_table *table, const struct ubdx_range *range);
int ubdx_file_hits_init(struct ubdx_map *map);

#endif /* UBDX_EXTENTS_H */
