// SPDX-License-Identifier: GPL-2.0
/*
 * chan.c - what all channels have in common: the table of channels, and ATTACH.
 *
 * ATTACH binds a queue to one (mm, ring, task). ATTACH's command stays parked in srvq->attach_cmd.
 * Only this command is marked cancelable: marking the tags' commands, too, would cost each request
 * about 35 instructions. io_uring cancels ATTACH's command when the ring goes away. Then the driver
 * declares the server dead, and the abort completes all other commands. So the driver notices the
 * end of a ring even if every tag's request is at the server and no other command is parked.
 *
 * A command holds a reference to the open channel file, so the server and the queue outlive the
 * command.
 */
#include <linux/mm.h>
#include <linux/nospec.h>
#include <linux/sched/task.h>
#include <linux/string.h>

#include "chan.h"
#include "extents.h"

static const struct ubdx_chan_ops *const ubdx_chan_table[] = {
	&ubdx_chan_uring,
};

/**
 * ubdx_chan_find - the channel of a new device.
 * @features:	UBDX_F_* of its ADD, without UBDX_F_EXTENTS.
 *
 * Returns NULL if no channel has these features.
 */
const struct ubdx_chan_ops *ubdx_chan_find(u64 features)
{
	unsigned int i;

	for (i = 0; i < ARRAY_SIZE(ubdx_chan_table); i++)
		if (ubdx_chan_table[i]->feature == features)
			return ubdx_chan_table[i];
	return NULL;
}

/* All UBDX_F_* by which ADD can choose a channel. */
u64 ubdx_chan_features(void)
{
	u64 features = 0;
	unsigned int i;

	for (i = 0; i < ARRAY_SIZE(ubdx_chan_table); i++)
		features |= ubdx_chan_table[i]->feature;
	return features;
}

/*
 * Complete a command that was parked after its server was declared dead. The tag may be free again,
 * and a queue_rq that has seen the server alive may be taking the command. So first wait for all
 * calls of queue_rq, as the abort does.
 */
void ubdx_send_back_late(struct io_uring_cmd **place, unsigned int issue_flags)
{
	synchronize_rcu();
	ubdx_send_back(place, issue_flags);
}

/* Returns NULL if there is no such queue. @qid comes from user space. */
struct ubdx_server_queue *ubdx_chan_queue(struct ubdx_server *srv, u64 qid)
{
	if (unlikely(qid >= srv->nr_queues))
		return NULL;
	return srv->queues[array_index_nospec(qid, srv->nr_queues)];
}

/*
 * Map a queue's descriptors so that the mapping can never become writable. The mapping holds the
 * channel's file, and the pages are freed only after that file.
 */
int ubdx_chan_map_desc(struct ubdx_server_queue *srvq, struct vm_area_struct *vma, u64 offset)
{
	if (offset || vma->vm_end - vma->vm_start != ubdx_desc_bytes(srvq->q))
		return -EINVAL;
	if (vma->vm_flags & (VM_WRITE | VM_EXEC))
		return -EPERM;
	vm_flags_mod(vma, VM_DONTEXPAND | VM_DONTDUMP | VM_DONTCOPY, VM_MAYWRITE | VM_MAYEXEC);
	return remap_pfn_range(vma, vma->vm_start, virt_to_phys(srvq->desc) >> PAGE_SHIFT,
			       vma->vm_end - vma->vm_start, vma->vm_page_prot);
}

/* ---- ATTACH ---- */

struct ubdx_attach_pdu {
	struct ubdx_server_queue *srvq;
};

static struct ubdx_server_queue *ubdx_attached_to(struct io_uring_cmd *cmd)
{
	return io_uring_cmd_to_pdu(cmd, struct ubdx_attach_pdu)->srvq;
}

static noinline int ubdx_chan_attach(struct ubdx_server *srv, struct io_uring_cmd *cmd,
				     unsigned int issue_flags)
{
	/* Shared with userspace: each field is read once. */
	const struct ubdx_attach *arg = (const void *)cmd->sqe->cmd;
	struct ubdx_server_queue *srvq = ubdx_chan_queue(srv, READ_ONCE(arg->qid));
	u32 buf_base = READ_ONCE(arg->buf_base);
	int ret = 0;

	if (!srvq || READ_ONCE(arg->reserved0) || READ_ONCE(arg->reserved))
		return -EINVAL;
	if (buf_base > UINT_MAX - srvq->q->depth)
		return -EINVAL;
	if (current->mm != srv->mm)
		return -EPERM;

	spin_lock(&srvq->lock);
	if (srvq->task) {
		ret = -EBUSY;
	} else {
		srvq->buf_base = buf_base;
		srvq->ring = ubdx_cmd_ctx(cmd);
		/*
		 * ubdx_is_attached() needs no acquire: it reads ring only in the task that has
		 * stored both.
		 */
		smp_store_release(&srvq->task, get_task_struct(current));
	}
	spin_unlock(&srvq->lock);
	if (ret)
		return ret;

	io_uring_cmd_to_pdu(cmd, struct ubdx_attach_pdu)->srvq = srvq;
	io_uring_cmd_mark_cancelable(cmd, issue_flags);
	ubdx_park(&srvq->attach_cmd, cmd);
	ubdx_unpark_if_dead(srvq, &srvq->attach_cmd, issue_flags);
	return -EIOCBQUEUED;
}

/*
 * Take back what the queue's requests have lent to the ring, then complete ATTACH's command.
 * srvq->dead is set, so a later delivery sees that and takes back what it has lent.
 */
static void ubdx_chan_detach(struct ubdx_server_queue *srvq, struct io_uring_cmd *cmd,
			     unsigned int issue_flags)
{
	const struct ubdx_ctx ctx = { .srvq = srvq, .cmd = cmd, .issue_flags = issue_flags };

	ubdx_xfer_detach(&ctx);
	ubdx_cmd_done(cmd, -ENODEV, issue_flags);
}

/* The ring goes away. */
static noinline void ubdx_chan_cancel(struct io_uring_cmd *cmd, unsigned int issue_flags)
{
	struct ubdx_server_queue *srvq = ubdx_attached_to(cmd);

	ubdx_server_fail(srvq->srv);
	/* If the command isn't parked any more, the abort has taken it and will complete it. */
	if (ubdx_unpark(&srvq->attach_cmd))
		ubdx_chan_detach(srvq, cmd, issue_flags);
}

/*
 * ubdx_xfer_detach() takes the ring's uring_lock to unregister buffers. Completing ATTACH's command
 * takes it, too, because the command is cancelable. The ring's task can hold the lock for any time,
 * for example in a page fault that userfaultfd doesn't resolve. So a separate worker
 * (ubdx_detach_wq) waits for the lock. A ring that exits meanwhile can still cancel the command:
 * ubdx_chan_cancel() then finds no parked command, and leaves it to this worker.
 *
 * Until it completes, the command holds a reference to the channel's file, which keeps srvq alive.
 * The server may be freed as soon as the command has completed, before this function returns.
 */
static void ubdx_detach_work(struct work_struct *work)
{
	struct ubdx_server_queue *srvq = container_of(work, struct ubdx_server_queue, detach_work);

	ubdx_chan_detach(srvq, srvq->attach_taken, IO_URING_F_UNLOCKED);
}

/* Step 3 of an abort, for one queue: complete every command that the server has parked. */
void ubdx_chan_wake(struct ubdx_server_queue *srvq)
{
	srvq->srv->chan->wake(srvq);
	srvq->attach_taken = ubdx_unpark(&srvq->attach_cmd);
	if (!srvq->attach_taken)
		return;
	INIT_WORK(&srvq->detach_work, ubdx_detach_work);
	queue_work(ubdx_detach_wq, &srvq->detach_work);
}

/* May wait, so it is for io-wq. */
static noinline int ubdx_chan_revoke(struct ubdx_server *srv, struct io_uring_cmd *cmd,
				     unsigned int issue_flags)
{
	/* Shared with userspace: each field is read once. */
	const struct ubdx_revoke_cmd *from = (const void *)cmd->sqe->cmd;
	const struct ubdx_revoke arg = {
		.sector = READ_ONCE(from->sector),
		.nr_sectors = READ_ONCE(from->nr_sectors),
		.flags = READ_ONCE(cmd->sqe->len),
	};

	if (current->mm != srv->mm)
		return -EPERM;
	if (issue_flags & IO_URING_F_NONBLOCK)
		return -EAGAIN;
	return ubdx_map_revoke(srv, &arg);
}

/**
 * ubdx_chan_command - a command on the channel device.
 * @cmd:	command.
 * @issue_flags: IO_URING_F_*.
 *
 * Returns -EIOCBQUEUED if the command is parked, or else its result.
 */
int ubdx_chan_command(struct io_uring_cmd *cmd, unsigned int issue_flags)
{
	struct ubdx_server *srv = cmd->file->private_data;

	if (unlikely(cmd->cmd_op == UBDX_CMD_REVOKE))
		return ubdx_chan_revoke(srv, cmd, issue_flags);
	if (unlikely(issue_flags & (IO_URING_F_CANCEL | IO_URING_F_UNLOCKED))) {
		/* UNLOCKED without CANCEL: an io-wq worker, which isn't the queue's task */
		if (!(issue_flags & IO_URING_F_CANCEL))
			return -EOPNOTSUPP;
		ubdx_chan_cancel(cmd, issue_flags);
		return 0;
	}
	if (unlikely(cmd->cmd_op == UBDX_CMD_ATTACH))
		return ubdx_chan_attach(srv, cmd, issue_flags);
	return srv->chan->uring_cmd(srv, cmd, issue_flags);
}
