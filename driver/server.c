// SPDX-License-Identifier: GPL-2.0
/*
 * server.c - the process behind /dev/ubdxcN: how it becomes a device's server, and how it ends.
 *
 * An open of the channel makes a ubdx_server, bound to the opener's mm. A device has at most one at
 * a time. The driver notices that a server is gone by
 *	- the end of its mm (mmu notifier): SIGKILL, exit or exec, even if a forked child, a
 *	  mapping, or another process that got the descriptor holds the file open;
 *	- the cancellation of ATTACH's command: the queue's ring is torn down;
 *	- the last close of the file;
 *	- a queue's task that exits or is being killed, which delivery or the tick sees; or
 *	- a request that the server keeps for longer than the I/O timeout, which the tick sees.
 * Each of these leads to ubdx_server_fail(), which declares the server dead, so that no more
 * requests are published, and schedules ubdx_server_abort_work(). This work ends or requeues the
 * requests in flight.
 */
#include <linux/file.h>
#include <linux/fs.h>
#include <linux/mm.h>
#include <linux/nospec.h>
#include <linux/sched/mm.h>
#include <linux/sched/signal.h>
#include <linux/sched/task.h>
#include <linux/seq_file.h>
#include <linux/slab.h>

#include "extents.h"
#include "chan.h"
#include "xfer.h"

static void ubdx_srvq_free(struct ubdx_server_queue *srvq)
{
	if (!srvq)
		return;
	srvq->srv->chan->exit(srvq);
	if (srvq->task)
		put_task_struct(srvq->task);
	if (srvq->desc)
		free_pages((unsigned long)srvq->desc, srvq->desc_order);
	kvfree(srvq);
}

/* Allocate the server's memory for the queue, on the queue's node (ubdx_queue_node()). */
static struct ubdx_server_queue *ubdx_srvq_alloc(struct ubdx_server *srv, struct ubdx_queue *q)
{
	struct ubdx_server_queue *srvq;
	struct page *pages;
	u16 tag;

	srvq = kvzalloc_node(struct_size(srvq, buffers, q->depth), GFP_KERNEL_ACCOUNT, q->node);
	if (!srvq)
		return NULL;
	srvq->srv = srv;
	srvq->q = q;
	spin_lock_init(&srvq->lock);

	srvq->desc_order = get_order(ubdx_desc_bytes(q));
	pages = alloc_pages_node(q->node, GFP_KERNEL_ACCOUNT | __GFP_ZERO | __GFP_NOWARN,
				 srvq->desc_order);
	if (!pages) {
		ubdx_srvq_free(srvq);
		return NULL;
	}
	srvq->desc = page_address(pages);
	for (tag = 0; tag < q->depth; tag++)
		srvq->desc[tag].tag = tag;
	if (srv->chan->init(srvq)) {
		ubdx_srvq_free(srvq);
		return NULL;
	}
	return srvq;
}

static void ubdx_server_free(struct kref *ref)
{
	struct ubdx_server *srv = container_of(ref, struct ubdx_server, ref);
	unsigned int i;

	for (i = 0; i < srv->nr_queues; i++)
		ubdx_srvq_free(srv->queues[i]);
	for (i = 0; i < ARRAY_SIZE(srv->blank); i++)
		if (srv->blank[i])
			__free_page(srv->blank[i]);
	kfree(srv->files);
	kfree(srv->target_info);
	put_pid(srv->tgid);
	mmdrop(srv->mm);
	ubdx_dev_put(srv->dev);
	kfree(srv);
}

void ubdx_server_put(struct ubdx_server *srv)
{
	kref_put(&srv->ref, ubdx_server_free);
}

/*
 * From now on queue_rq publishes nothing, see ubdx_srvq_alive(). An abort waits for calls of
 * queue_rq that are under way.
 */
static void ubdx_server_declare_dead(struct ubdx_server *srv)
{
	unsigned int i;

	for (i = 0; i < srv->nr_queues; i++)
		WRITE_ONCE(srv->queues[i]->dead, true);
}

/**
 * ubdx_server_abort - end every request of this server, and complete every parked command.
 * @srv:	server.
 *
 * When this returns, each request has ended or been requeued, except those that the server's task
 * has claimed, that have users, or that are in state IO. They end when that task or the last user
 * lets go of them, or when the driver's own I/O has ended. The server's extents are revoked; bios
 * that have used an extent end when their I/O ends. New requests fail, or wait for another server.
 * A second call does nothing. Process context; needs no I/O to make progress.
 */
void ubdx_server_abort(struct ubdx_server *srv)
{
	unsigned int i;

	mutex_lock(&srv->abort_lock);
	if (srv->aborted)
		goto unlock;

	ubdx_server_declare_dead(srv);
	/*
	 * Wait for every queue_rq, and every RCU section of the server's threads, that may have
	 * seen the server alive. New calls of queue_rq see that the server is dead. So there is no
	 * need to quiesce the queues, for which the abort would need dev->lock.
	 */
	synchronize_rcu(); /* without BLK_MQ_F_BLOCKING queue_rq is an RCU reader */
	smp_mb(); /* pairs with ubdx_slot_move() and ubdx_park() */

	for (i = 0; i < srv->nr_queues; i++)
		if (rcu_access_pointer(srv->queues[i]->q->srvq) == srv->queues[i])
			ubdx_abort_queue(srv->queues[i]->q);
	ubdx_xfer_revoke(srv);
	ubdx_map_close(srv);
	ubdx_backings_close(srv);
	for (i = 0; i < srv->nr_queues; i++)
		ubdx_chan_wake(srv->queues[i]);
	srv->aborted = true;
unlock:
	mutex_unlock(&srv->abort_lock);
}

/*
 * All threads of a process have the same mm, except that a thread may have passed exit_mm() and
 * have none.
 */
static bool ubdx_process_has_mm(struct task_struct *process, const struct mm_struct *mm)
{
	struct task_struct *thread;
	struct mm_struct *its;

	for_each_thread(process, thread) {
		its = READ_ONCE(thread->mm);
		if (its)
			return its == mm;
	}
	return false;
}

/**
 * ubdx_server_kill - kill every process that has the server's memory.
 * @srv:	server.
 *
 * These are the process that opened the channel, the processes of the queues' tasks, and any other
 * process that was cloned with CLONE_VM: each may write to the server's storage. A process that has
 * executed another program doesn't have the memory any more. A process that exits or dumps core
 * never returns to user space, and is left alone. A concurrent clone() either fails, because its
 * parent has a pending SIGKILL, or adds its child at the end of the list, where this loop finds the
 * child.
 */
void ubdx_server_kill(struct ubdx_server *srv)
{
	struct task_struct *process;

	rcu_read_lock();
	for_each_process(process) {
		if (process->flags & PF_KTHREAD || !ubdx_process_has_mm(process, srv->mm) ||
		    READ_ONCE(process->signal->flags) & SIGNAL_GROUP_EXIT)
			continue;
		kill_pid(task_tgid(process), SIGKILL, 1);
	}
	rcu_read_unlock();
}

static void ubdx_server_abort_work(struct work_struct *work)
{
	struct ubdx_server *srv = container_of(work, struct ubdx_server, abort_work);

	ubdx_server_abort(srv);
	ubdx_dev_server_gone(srv->dev, srv);
	ubdx_server_put(srv);
}

/* Declare @srv dead and schedule its abort. Any context; the caller makes sure that @srv exists. */
void ubdx_server_fail(struct ubdx_server *srv)
{
	/* declare only once: there may be thousands of queues, and each request may call this */
	if (!READ_ONCE(srv->queues[srv->nr_queues - 1]->dead))
		ubdx_server_declare_dead(srv);
	kref_get(&srv->ref);
	if (!queue_work(ubdx_wq, &srv->abort_work))
		ubdx_server_put(srv);
}

static void ubdx_mm_release(struct mmu_notifier *notifier, struct mm_struct *mm)
{
	struct ubdx_server *srv = container_of(notifier, struct ubdx_server, notifier);

	/* if not bound, open() has failed: while open() runs, the caller's mm can't end */
	if (READ_ONCE(srv->bound))
		ubdx_server_fail(srv);
}

static const struct mmu_notifier_ops ubdx_mm_ops = {
	.release = ubdx_mm_release,
};

static struct ubdx_server *ubdx_server_alloc(struct ubdx_dev *dev)
{
	unsigned int i, nr = dev->params.nr_queues;
	struct ubdx_server *srv;

	srv = kzalloc(struct_size(srv, queues, nr), GFP_KERNEL_ACCOUNT);
	if (!srv)
		return NULL;
	srv->nr_queues = nr;
	kref_init(&srv->ref);
	mutex_init(&srv->abort_lock);
	address_space_init_once(&srv->mapping);
	srv->mapping.a_ops = &empty_aops;
	spin_lock_init(&srv->span_lock);
	INIT_LIST_HEAD(&srv->spans);
	spin_lock_init(&srv->files_lock);
	INIT_WORK(&srv->abort_work, ubdx_server_abort_work);
	srv->notifier.ops = &ubdx_mm_ops;
	srv->mm = current->mm;
	mmgrab(srv->mm);
	srv->tgid = get_pid(task_tgid(current));
	srv->trusted = capable(CAP_SYS_ADMIN);
	srv->dev = dev;
	srv->chan = dev->chan;
	get_device(&dev->device);

	for (i = 0; i < nr; i++) {
		srv->queues[i] = ubdx_srvq_alloc(srv, dev->queues[i]);
		if (!srv->queues[i]) {
			ubdx_server_put(srv);
			return NULL;
		}
	}
	return srv;
}

/*
 * io_uring can open files under uring_lock. So this function doesn't take dev->lock: the holder of
 * dev->lock may wait for I/O, which a task that holds uring_lock may have to serve.
 */
static int ubdx_server_open(struct inode *inode, struct file *file)
{
	struct ubdx_dev *dev = container_of(inode->i_cdev, struct ubdx_dev, cdev);
	struct ubdx_server *srv;
	int ret;

	/* The server sees all data written to the device, and supplies all data read from it. */
	if (!(file->f_mode & FMODE_READ) || !(file->f_mode & FMODE_WRITE))
		return -EACCES;
	/* A kernel thread has no mm to bind the device to. */
	if (!current->mm)
		return -EINVAL;
	srv = ubdx_server_alloc(dev);
	if (!srv)
		return -ENOMEM;
	/*
	 * Register before the server is bound, because registering can fail (-EINTR if a signal is
	 * pending), and a failed open must not leave its server bound.
	 */
	ret = mmu_notifier_register(&srv->notifier, srv->mm);
	if (ret)
		goto put;

	spin_lock(&dev->state_lock);
	if (dev->state != UBDX_S_ADDED && dev->state != UBDX_S_QUIESCED) {
		ret = dev->state == UBDX_S_LIVE ? -EBUSY : -ENODEV;
	} else if (dev->srv) {
		ret = -EBUSY;
		/* A server that never calls START must not keep other servers out for ever. */
		if (time_after(jiffies, READ_ONCE(dev->srv->busy) + UBDX_START_SECONDS * HZ))
			ubdx_server_fail(dev->srv);
	} else {
		kref_get(&srv->ref);
		srv->busy = jiffies;
		dev->srv = srv;
		WRITE_ONCE(srv->bound, true);
	}
	spin_unlock(&dev->state_lock);
	if (ret)
		goto unregister;

	file->private_data = srv;
	srv->file = file;
	/* each open has its own mapping, by which ubdx_map_unmap() finds its windows */
	srv->mapping.host = inode;
	file->f_mapping = &srv->mapping;
	/* reads and writes wait only for page faults on the caller's own memory */
	file->f_mode |= FMODE_NOWAIT;
	return 0;

unregister:
	mmu_notifier_unregister(&srv->notifier, srv->mm);
put:
	ubdx_server_put(srv);
	return ret;
}

/* The last close. mmu_notifier_unregister() calls ubdx_mm_release() if the mm still lives. */
static int ubdx_server_release(struct inode *inode, struct file *file)
{
	struct ubdx_server *srv = file->private_data;

	mmu_notifier_unregister(&srv->notifier, srv->mm);
	ubdx_server_put(srv);
	return 0;
}

static int ubdx_server_mmap(struct file *file, struct vm_area_struct *vma)
{
	struct ubdx_server *srv = file->private_data;
	u64 offset = (u64)vma->vm_pgoff << PAGE_SHIFT;
	struct ubdx_server_queue *srvq;

	if (current->mm != srv->mm)
		return -EPERM;
	if (offset >= UBDX_MMAP_WINDOWS)
		return ubdx_map_mmap(srv, vma, offset);
	srvq = ubdx_chan_queue(srv, offset / UBDX_MMAP_QUEUE_STRIDE);
	if (!srvq)
		return -EINVAL;
	return srv->chan->mmap(srvq, vma, offset % UBDX_MMAP_QUEUE_STRIDE);
}

static void ubdx_server_show_fdinfo(struct seq_file *seq, struct file *file)
{
	struct ubdx_server *srv = file->private_data;
	char line[UBDX_BACKING_LINE];
	u32 i;

	seq_printf(seq, "ubdx-device:\t%d\n", srv->dev->id);
	for (i = 0; i < UBDX_MAX_FILES; i++)
		if (ubdx_backing_describe(srv, i, line, sizeof(line)))
			seq_printf(seq, "ubdx-file:\t%s\n", line);
}

const struct file_operations ubdx_server_fops = {
	.owner = THIS_MODULE,
	.open = ubdx_server_open,
	.release = ubdx_server_release,
	.mmap = ubdx_server_mmap,
	.read_iter = ubdx_access_read,
	.write_iter = ubdx_access_write,
	.splice_read = ubdx_splice_read,
	.splice_write = iter_file_splice_write,
	.uring_cmd = ubdx_chan_command,
	.unlocked_ioctl = ubdx_chan_ioctl,
	.compat_ioctl = compat_ptr_ioctl,
	.llseek = noop_llseek,
	.show_fdinfo = ubdx_server_show_fdinfo,
};
