// SPDX-License-Identifier: GPL-2.0
/*
 * backing.c - the files that a server has registered with its channel. The driver forwards requests
 * to them (forward.c).
 *
 * A server registers a file that it has open itself, so the driver needs no path and no permission
 * of its own. A struct ubdx_backing holds a reference to the file until the last I/O on the file
 * has ended. So a flock on the file, or O_EXCL on a block device, keeps other servers out until no
 * late write can come.
 *
 * srv->files is an array of UBDX_MAX_FILES pointers, or NULL before the first registration. Readers
 * hold the RCU read lock; writers hold srv->files_lock. When a server is aborted, all files leave
 * the table, and none can be registered any more.
 */
#include <linux/blk-integrity.h>
#include <linux/blkdev.h>
#include <linux/cred.h>
#include <linux/file.h>
#include <linux/fs.h>
#include <linux/nospec.h>
#include <linux/slab.h>

#include "extents.h"
#include "forward.h"

static void ubdx_backing_free(struct work_struct *work)
{
	struct ubdx_backing *backing = container_of(work, struct ubdx_backing, free_work);

	percpu_ref_exit(&backing->ref);
	if (backing->wq)
		destroy_workqueue(backing->wq);
	__fput_sync(backing->file); /* fput() closes later, and a successor may wait for the file */
	put_cred(backing->cred);
	ubdx_dev_put(backing->dev);
	kfree(backing);
}

/*
 * Any context. No reader of the table has the pointer any more: this is called a grace period after
 * percpu_ref_kill(), or later.
 */
static void ubdx_backing_unused(struct percpu_ref *ref)
{
	struct ubdx_backing *backing = container_of(ref, struct ubdx_backing, ref);

	queue_work(ubdx_io_wq, &backing->free_work);
}

/* Is this our own disk, or a file on it? Devices stacked on our disk are not recognised. */
static bool ubdx_is_own(struct ubdx_dev *dev, struct file *file)
{
	struct inode *inode = file_inode(file);
	struct block_device *bdev = S_ISBLK(inode->i_mode) ? file_bdev(file) : inode->i_sb->s_bdev;
	bool own;

	spin_lock(&dev->state_lock);
	own = bdev && dev->disk && bdev->bd_disk == dev->disk;
	spin_unlock(&dev->state_lock);
	return own;
}

/*
 * Forwarded requests and their segments are whole logical blocks of our device. So a block device
 * that needs larger blocks, or memory that is aligned to more, can't take them.
 */
static int ubdx_bdev_check(struct ubdx_dev *dev, struct block_device *bdev)
{
	unsigned int block = dev->params.logical_block_size;

	if (bdev_logical_block_size(bdev) > block || bdev_dma_alignment(bdev) >= block)
		return -EINVAL;
	return bdev_is_zoned(bdev) || blk_get_integrity(bdev->bd_disk) ? -EINVAL : 0;
}

static int ubdx_backing_check(struct ubdx_dev *dev, struct file *file)
{
	umode_t mode = file_inode(file)->i_mode;

	if (!S_ISBLK(mode) && !S_ISREG(mode))
		return -EINVAL;
	if ((file->f_mode & FMODE_READ && !file->f_op->read_iter) ||
	    (file->f_mode & FMODE_WRITE && !file->f_op->write_iter))
		return -EINVAL;
	/* each WRITE would go to the end of the file */
	if (file->f_flags & O_APPEND || IS_APPEND(file_inode(file)))
		return -EINVAL;
	if (ubdx_is_own(dev, file))
		return -ELOOP;
	return S_ISBLK(mode) ? ubdx_bdev_check(dev, file_bdev(file)) : 0;
}

/*
 * Bios bypass the page cache, so they are used only if the server's own I/O does, too (O_DIRECT).
 * Each other file has its own workqueue: if a file hangs, or is on a device of ours, I/O on other
 * files must not wait. Like the loop driver's, this workqueue lacks WQ_MEM_RECLAIM: with this flag
 * the kernel would warn when a file system flushes a workqueue that lacks the flag, as XFS does
 * when its space runs out.
 */
static int ubdx_backing_init(struct ubdx_backing *backing, struct ubdx_dev *dev, struct file *file)
{
	int ret = percpu_ref_init(&backing->ref, ubdx_backing_unused, 0, GFP_KERNEL_ACCOUNT);

	if (ret)
		return ret;
	if (S_ISBLK(file_inode(file)->i_mode) && file->f_flags & O_DIRECT) {
		backing->bdev = file_bdev(file);
		backing->block_mask = bdev_logical_block_size(backing->bdev) - 1;
		ret = ubdx_forward_init_dev(dev);
	} else {
		backing->wq = alloc_workqueue("ubdxf%d", WQ_UNBOUND | WQ_FREEZABLE, 0, dev->id);
		ret = backing->wq ? 0 : -ENOMEM;
	}
	if (ret)
		percpu_ref_exit(&backing->ref);
	return ret;
}

/* The reference to @file is the caller's until this succeeds. */
static struct ubdx_backing *ubdx_backing_alloc(struct ubdx_dev *dev, struct file *file)
{
	struct ubdx_backing *backing;
	int ret = ubdx_backing_check(dev, file);

	if (ret)
		return ERR_PTR(ret);
	backing = kzalloc(sizeof(*backing), GFP_KERNEL_ACCOUNT);
	if (!backing)
		return ERR_PTR(-ENOMEM);
	ret = ubdx_backing_init(backing, dev, file);
	if (ret) {
		kfree(backing);
		return ERR_PTR(ret);
	}
	INIT_WORK(&backing->free_work, ubdx_backing_free);
	backing->file = file;
	backing->cred = get_current_cred();
	backing->limit = U64_MAX;
	if (S_ISREG(file_inode(file)->i_mode) && rlimit(RLIMIT_FSIZE) != RLIM_INFINITY)
		backing->limit = rlimit(RLIMIT_FSIZE) >> SECTOR_SHIFT;
	backing->dev = dev;
	get_device(&dev->device);
	return backing;
}

/* Exchange an entry of the table. @backing: the new one, or NULL. Returns 0, -ENODEV or -ENOENT. */
int ubdx_backing_swap(struct ubdx_server *srv, u32 index, struct ubdx_backing *backing)
{
	struct ubdx_backing *old;
	int ret = -ENODEV;

	spin_lock(&srv->files_lock);
	if (!srv->files_closed) {
		old = rcu_replace_pointer(srv->files[index], backing,
					  lockdep_is_held(&srv->files_lock));
		ret = !old && !backing ? -ENOENT : 0;
		if (old)
			percpu_ref_kill(&old->ref);
	}
	spin_unlock(&srv->files_lock);
	return ret;
}

static int ubdx_backings_alloc(struct ubdx_server *srv)
{
	struct ubdx_backing __rcu **files;

	if (READ_ONCE(srv->files))
		return 0;
	files = kcalloc(UBDX_MAX_FILES, sizeof(*files), GFP_KERNEL_ACCOUNT);
	if (!files)
		return -ENOMEM;
	spin_lock(&srv->files_lock);
	if (!srv->files) {
		/* pairs with ubdx_backing_get() */
		smp_store_release(&srv->files, files);
		files = NULL;
	}
	spin_unlock(&srv->files_lock);
	kfree(files);
	return 0;
}

/**
 * ubdx_backing_set - UBDX_IOC_SET_FILE: register, replace or remove a file.
 * @srv:	server; the caller is one of its tasks.
 * @arg:	see struct ubdx_file.
 *
 * I/O in flight continues on the old file. Returns 0 or an error, see UBDX_IOC_SET_FILE.
 */
int ubdx_backing_set(struct ubdx_server *srv, const struct ubdx_file *arg)
{
	struct ubdx_backing *backing = NULL;
	struct file *file;
	u32 index;
	int ret;

	if (arg->index >= UBDX_MAX_FILES || arg->reserved || arg->fd < -1)
		return -EINVAL;
	index = array_index_nospec(arg->index, UBDX_MAX_FILES);
	if (!srv->trusted)
		return -EPERM;
	ret = ubdx_backings_alloc(srv);
	if (ret)
		return ret;
	if (arg->fd >= 0) {
		file = fget(arg->fd);
		if (!file)
			return -EBADF;
		backing = ubdx_backing_alloc(srv->dev, file);
		if (IS_ERR(backing)) {
			fput(file);
			return PTR_ERR(backing);
		}
	}
	ret = srv->dev->map ? ubdx_map_swap_file(srv, index, backing) :
			      ubdx_backing_swap(srv, index, backing);
	if (ret && backing)
		percpu_ref_kill(&backing->ref);
	return ret;
}

/**
 * ubdx_backing_describe - one line about a registered file, for sysfs and fdinfo.
 * @srv:	server.
 * @index:	the file's number.
 * @line:	out: "index block|regular major:minor[:inode] r|w|rw bio|file", without a newline.
 * @size:	of @line, UBDX_BACKING_LINE.
 *
 * Returns the length, or 0 if there is no such file. Any context.
 */
int ubdx_backing_describe(struct ubdx_server *srv, u32 index, char *line, size_t size)
{
	struct ubdx_backing *backing = ubdx_backing_get(srv, index);
	struct inode *inode;
	int len;

	if (!backing)
		return 0;
	inode = file_inode(backing->file);
	if (S_ISBLK(inode->i_mode))
		len = scnprintf(line, size, "%u block %u:%u", index, imajor(inode), iminor(inode));
	else
		len = scnprintf(line, size, "%u regular %u:%u:%llu", index,
				MAJOR(inode->i_sb->s_dev), MINOR(inode->i_sb->s_dev),
				(u64)inode->i_ino);
	len += scnprintf(line + len, size - len, " %s%s %s",
			 backing->file->f_mode & FMODE_READ ? "r" : "",
			 backing->file->f_mode & FMODE_WRITE ? "w" : "",
			 backing->bdev ? "bio" : "file");
	ubdx_backing_put(backing);
	return len;
}

/**
 * ubdx_backings_close - the server is aborted: let go of its files when the I/O on them has ended.
 * @srv:	server. A second call does nothing.
 */
void ubdx_backings_close(struct ubdx_server *srv)
{
	struct ubdx_backing *backing;
	unsigned int i;

	spin_lock(&srv->files_lock);
	for (i = 0; srv->files && !srv->files_closed && i < UBDX_MAX_FILES; i++) {
		backing =
			rcu_replace_pointer(srv->files[i], NULL, lockdep_is_held(&srv->files_lock));
		if (backing)
			percpu_ref_kill(&backing->ref);
	}
	srv->files_closed = true;
	spin_unlock(&srv->files_lock);
}
