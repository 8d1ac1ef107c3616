/* SPDX-License-Identifier: GPL-2.0 */
/*
 * backing.h - the files that a server has registered for I/O by the driver, see backing.c.
 */
#ifndef UBDX_BACKING_H
#define UBDX_BACKING_H

#include <linux/nospec.h>
#include <linux/percpu-refcount.h>

#include "xfer.h"

/**
 * struct ubdx_backing - a file to which the driver forwards requests.
 * @ref:	held by the server's table, by each forwarded I/O, and by each struct ubdx_table
 *		that uses the file. Killed when the file leaves the server's table.
 * @file:	the server's; holds a reference.
 * @bdev:	I/O goes to this block device by bios; NULL: I/O goes to @file.
 * @cred:	the credentials of the process that registered the file.
 * @limit:	that process's RLIMIT_FSIZE, in sectors, for WRITEs in extents; without a limit and for
 *		a block device, more than any file has.
 * @block_mask:	offsets and lengths are multiples of @block_mask + 1.
 * @wq:	I/O on @file runs in this workqueue; NULL with @bdev.
 * @dev:	the device; holds a reference.
 * @free_work:	closes the file.
 */
struct ubdx_backing {
	struct percpu_ref ref;
	struct file *file;
	struct block_device *bdev;
	const struct cred *cred;
	sector_t limit;
	unsigned int block_mask;
	struct workqueue_struct *wq;
	struct ubdx_dev *dev;
	struct work_struct free_work;
};

/* ---- backing.c ---- */

/* UBDX_MAX_FILES such lines fit in a page of sysfs */
#define UBDX_BACKING_LINE 64

int ubdx_backing_swap(struct ubdx_server *srv, u32 index, struct ubdx_backing *backing);
int ubdx_backing_set(struct ubdx_server *srv, const struct ubdx_file *arg);
int ubdx_backing_describe(struct ubdx_server *srv, u32 index, char *line, size_t size);
void ubdx_backings_close(struct ubdx_server *srv);

/**
 * ubdx_backing_get - use a registered file.
 * @srv:	server.
 * @index:	its number, from the server.
 *
 * Returns NULL if there is none. The caller drops the reference by ubdx_backing_put().
 */
static __always_inline struct ubdx_backing *ubdx_backing_get(struct ubdx_server *srv, u32 index)
{
	/* pairs with ubdx_backings_alloc() */
	struct ubdx_backing __rcu **files = smp_load_acquire(&srv->files);
	struct ubdx_backing *backing;

	if (unlikely(index >= UBDX_MAX_FILES || !files))
		return NULL;
	rcu_read_lock();
	backing = rcu_dereference(files[array_index_nospec(index, UBDX_MAX_FILES)]);
	if (likely(backing) && unlikely(!percpu_ref_tryget_live_rcu(&backing->ref)))
		backing = NULL;
	rcu_read_unlock();
	return backing;
}

/* Does @backing->bdev refuse writes? A write through the file would check the same. */
static inline bool ubdx_bdev_refuses_writes(const struct ubdx_backing *backing)
{
	return bdev_read_only(backing->bdev) || IS_SWAPFILE(backing->file->f_mapping->host);
}

/* Does the file have all sectors before @end, and can it have extents there? @flags: UBDX_EXTENT_*. */
static inline bool ubdx_backing_has(const struct ubdx_backing *backing, sector_t end, u32 flags)
{
	if (likely(backing->bdev))
		return end <= bdev_nr_sectors(backing->bdev);
	return end <= i_size_read(backing->file->f_mapping->host) >> SECTOR_SHIFT &&
	       (!(flags & UBDX_EXTENT_WRITE) || end <= backing->limit);
}

/* Any context. */
static inline void ubdx_backing_put(struct ubdx_backing *backing)
{
	percpu_ref_put(&backing->ref);
}

#endif /* UBDX_BACKING_H */
