// SPDX-License-Identifier: GPL-2.0
/*
 * file_io.c - I/O on regular files, and on block devices that the server has opened without
 * O_DIRECT: of forwarded requests (forward.c), and of bios in extents (front.c). A worker reads and
 * writes, with kiocbs, as the kernel's loop driver does, because file systems may block.
 *
 * A frozen file system must not make the worker wait: nobody could end the I/O then. So a WRITE
 * holds off freezing from its start until it has ended (ubdx_file_guard()). If the file system is
 * frozen already, the request stays with the server. This covers only the file's own file system: on
 * overlayfs a worker can still wait for the file system below.
 *
 * A file system can use the kiocb and the iterator until read_iter() or write_iter() returns, also
 * if the I/O has ended in the meantime. So the end is reported when both have happened.
 */
#include <linux/blk-cgroup.h>
#include <linux/cred.h>
#include <linux/memcontrol.h>
#include <linux/sched/mm.h>
#include <linux/uio.h>

#include "file_io.h"

/* ---- freezing ---- */

/**
 * ubdx_file_guard - hold off freezing of the file system, if @io is a WRITE.
 * @io:	I/O, which has not begun.
 *
 * The caller permits freezing again when the I/O has ended (ubdx_file_unguard()). Returns false if the
 * file system is frozen, or about to be.
 */
bool ubdx_file_guard(struct ubdx_file_io *io)
{
	struct inode *inode = file_inode(io->backing->file);

	io->guarded = false;
	if (!op_is_write(io->opf) || !S_ISREG(inode->i_mode))
		return true;
	if (!sb_start_write_trylock(inode->i_sb))
		return false;
	/* for lockdep: another context calls sb_end_write() */
	__sb_writers_release(inode->i_sb, SB_FREEZE_WRITE);
	io->guarded = true;
	return true;
}

/* The end of a guard, if there is one. Any context. */
void ubdx_file_unguard(struct ubdx_file_io *io)
{
	struct super_block *sb;

	if (!io->guarded)
		return;
	sb = file_inode(io->backing->file)->i_sb;
	__sb_writers_acquired(sb, SB_FREEZE_WRITE);
	sb_end_write(sb);
	io->guarded = false;
}

/* ---- I/O ---- */

/* Called twice: by the worker, and at the end of the I/O. Any context. */
static void ubdx_file_put(struct ubdx_file_io *io)
{
	if (atomic_dec_and_test(&io->refs))
		io->done(io, io->ret);
}

static void ubdx_file_complete(struct kiocb *iocb, long ret)
{
	struct ubdx_file_io *io = container_of(iocb, struct ubdx_file_io, iocb);

	io->ret = ret;
	ubdx_file_put(io);
}

static void ubdx_file_rw(struct ubdx_file_io *io)
{
	struct file *file = io->backing->file;
	bool write = op_is_write(io->opf);
	struct kiocb *iocb = &io->iocb;
	struct iov_iter iter;
	long ret;

	iov_iter_bvec(&iter, write ? ITER_SOURCE : ITER_DEST, io->bvecs, io->nr_bvecs,
		      io->skip + io->bytes);
	iov_iter_advance(&iter, io->skip);
	init_sync_kiocb(iocb, file);
	iocb->ki_pos = io->pos;
	iocb->ki_complete = ubdx_file_complete;
	iocb->ki_ioprio = io->bio->bi_ioprio;
	/* fcntl() may have set it since the file was registered */
	iocb->ki_flags &= ~IOCB_APPEND;
	if (io->opf & REQ_FUA)
		iocb->ki_flags |= IOCB_DSYNC;
	if (write) {
		iocb->ki_flags |= IOCB_WRITE;
		ret = file->f_op->write_iter(iocb, &iter);
	} else {
		ret = file->f_op->read_iter(iocb, &iter);
	}
	if (ret != -EIOCBQUEUED)
		ubdx_file_complete(iocb, ret);
}

static struct cgroup_subsys_state *ubdx_memcg_get(struct cgroup_subsys_state *css)
{
#ifdef CONFIG_MEMCG
	if (css)
		return cgroup_get_e_css(css->cgroup, &memory_cgrp_subsys);
#endif
	return NULL;
}

/*
 * Memory and I/O are charged to the submitter's cgroups; the permissions are those of the process
 * that registered the file. An allocation must not wait for I/O on our device (noio). The worker is
 * throttled only for dirty pages of the file's own device (PF_LOCAL_THROTTLE), because it cleans
 * pages of ours.
 */
static void ubdx_file_work(struct work_struct *work)
{
	struct ubdx_file_io *io = container_of(to_delayed_work(work), struct ubdx_file_io, work);
	struct cgroup_subsys_state *blkcg = bio_blkcg_css(io->bio);
	struct cgroup_subsys_state *memcg = ubdx_memcg_get(blkcg);
	const unsigned int throttle = current->flags & PF_LOCAL_THROTTLE;
	const struct cred *cred = override_creds(io->backing->cred);
	unsigned int noio = memalloc_noio_save();
	struct mem_cgroup *active = set_active_memcg(mem_cgroup_from_css(memcg));

	kthread_associate_blkcg(blkcg);
	current->flags |= PF_LOCAL_THROTTLE;
	ubdx_file_rw(io);
	current->flags = (current->flags & ~PF_LOCAL_THROTTLE) | throttle;
	kthread_associate_blkcg(NULL);
	set_active_memcg(active);
	if (memcg)
		css_put(memcg);
	memalloc_noio_restore(noio);
	revert_creds(cred);
	ubdx_file_put(io);
}

/**
 * ubdx_file_submit - begin the I/O.
 * @io:	I/O, guarded. It can have ended, and been freed, before this returns.
 * @delay: in jiffies.
 */
void ubdx_file_submit(struct ubdx_file_io *io, unsigned long delay)
{
	atomic_set(&io->refs, 2);
	INIT_DELAYED_WORK(&io->work, ubdx_file_work);
	queue_delayed_work(io->backing->wq, &io->work, delay);
}
