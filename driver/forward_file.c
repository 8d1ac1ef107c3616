// SPDX-License-Identifier: GPL-2.0
/*
 * forward_file.c - forwarded I/O on files: on regular files, and on block devices that the server
 * has opened without O_DIRECT. A worker reads and writes, with kiocbs.
 *
 * A frozen file system must not make the worker wait: nobody could end the request then. So a WRITE
 * holds off freezing from its commit until its I/O has ended, and a commit that finds the file
 * system frozen leaves the request with the server (ubdx_part_guard()). This covers only the file's
 * own file system: on overlayfs a worker can still wait for the file system below.
 *
 * A file system can use the kiocb and the iterator until read_iter() or write_iter() returns, also
 * if the I/O has ended in the meantime. So a part ends when both have happened.
 */
#include <linux/blk-cgroup.h>
#include <linux/blk-mq.h>
#include <linux/cred.h>
#include <linux/memcontrol.h>
#include <linux/sched/mm.h>
#include <linux/uio.h>

#include "forward.h"

/* ---- freezing ---- */

/* Hold off freezing for a WRITE. Returns false if the file system is frozen, or about to be. */
bool ubdx_part_guard(struct ubdx_part *part)
{
	struct inode *inode = file_inode(part->backing->file);

	if (req_op(part->forward->slot->rq) != REQ_OP_WRITE || !S_ISREG(inode->i_mode))
		return true;
	if (!sb_start_write_trylock(inode->i_sb))
		return false;
	/* for lockdep: another context calls sb_end_write() */
	__sb_writers_release(inode->i_sb, SB_FREEZE_WRITE);
	part->guarded = true;
	return true;
}

void ubdx_part_unguard(struct ubdx_part *part)
{
	struct inode *inode = file_inode(part->backing->file);

	if (!part->guarded)
		return;
	__sb_writers_acquired(inode->i_sb, SB_FREEZE_WRITE);
	sb_end_write(inode->i_sb);
}

/* ---- I/O ---- */

/* Called twice: by the worker, and at the end of the I/O. Any context. */
static void ubdx_part_put(struct ubdx_part *part)
{
	long ret;

	if (!atomic_dec_and_test(&part->refs))
		return;
	ubdx_part_unguard(part);
	ret = part->ret;
	ubdx_part_done(part, ret < 0 ? ret : 0, ret < 0 ? 0 : ret);
}

static void ubdx_part_io_done(struct kiocb *iocb, long ret)
{
	struct ubdx_part *part = container_of(iocb, struct ubdx_part, iocb);

	part->ret = ret;
	ubdx_part_put(part);
}

static void ubdx_part_rw(struct ubdx_part *part)
{
	struct ubdx_forward *forward = part->forward;
	struct request *rq = forward->slot->rq;
	struct file *file = part->backing->file;
	bool write = req_op(rq) == REQ_OP_WRITE;
	struct kiocb *iocb = &part->iocb;
	struct iov_iter iter;
	long ret;

	iov_iter_bvec(&iter, write ? ITER_SOURCE : ITER_DEST, forward->bvecs, forward->nr_bvecs,
		      part->skip + part->bytes);
	iov_iter_advance(&iter, part->skip);
	init_sync_kiocb(iocb, file);
	iocb->ki_pos = part->pos;
	iocb->ki_complete = ubdx_part_io_done;
	iocb->ki_ioprio = rq->bio->bi_ioprio;
	/* fcntl() may have set it since the file was registered */
	iocb->ki_flags &= ~IOCB_APPEND;
	if (rq->cmd_flags & REQ_FUA)
		iocb->ki_flags |= IOCB_DSYNC;
	if (write) {
		iocb->ki_flags |= IOCB_WRITE;
		ret = file->f_op->write_iter(iocb, &iter);
	} else {
		ret = file->f_op->read_iter(iocb, &iter);
	}
	if (ret != -EIOCBQUEUED)
		ubdx_part_io_done(iocb, ret);
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
static void ubdx_part_work(struct work_struct *work)
{
	struct ubdx_part *part = container_of(work, struct ubdx_part, work);
	struct cgroup_subsys_state *blkcg = bio_blkcg_css(part->forward->slot->rq->bio);
	struct cgroup_subsys_state *memcg = ubdx_memcg_get(blkcg);
	const unsigned int throttle = current->flags & PF_LOCAL_THROTTLE;
	const struct cred *cred = override_creds(part->backing->cred);
	unsigned int noio = memalloc_noio_save();
	struct mem_cgroup *active = set_active_memcg(mem_cgroup_from_css(memcg));

	kthread_associate_blkcg(blkcg);
	current->flags |= PF_LOCAL_THROTTLE;
	ubdx_part_rw(part);
	current->flags = (current->flags & ~PF_LOCAL_THROTTLE) | throttle;
	kthread_associate_blkcg(NULL);
	set_active_memcg(active);
	if (memcg)
		css_put(memcg);
	memalloc_noio_restore(noio);
	revert_creds(cred);
	ubdx_part_put(part);
}

/* @part can end, and its forward be freed, before this returns. */
void ubdx_part_submit_file(struct ubdx_part *part)
{
	atomic_set(&part->refs, 2);
	INIT_WORK(&part->work, ubdx_part_work);
	queue_work(part->backing->wq, &part->work);
}
