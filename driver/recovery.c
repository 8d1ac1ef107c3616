// SPDX-License-Identifier: GPL-2.0
/*
 * recovery.c - a device outlives its server. See enum ubdx_recovery in the UAPI header for what
 * users of the device see.
 *
 * Unless params.recovery is UBDX_RECOVERY_FAIL, dev->recovers is set from the device's first START
 * until the device is stopped or marked for deletion at its last close. While dev->recovers is set,
 * requests without a server wait in blk-mq: queue_rq returns BLK_STS_RESOURCE, and an abort
 * requeues the requests that another server may serve. That alone would be correct, but blk-mq
 * would dispatch the waiting requests again and again. So the queue is quiesced, too, under
 * dev->lock. STOP clears dev->recovers before del_gendisk(): from then on requests without a server
 * fail, so that del_gendisk() can finish.
 *
 * q->srvq changes only while no queue_rq and no tick runs. Other readers (sysfs) hold the RCU read
 * lock. The reference to the ubdx_server is dropped a grace period after q->srvq was cleared, or
 * after del_gendisk(), which waits for all readers.
 */
#include <linux/blk-mq.h>
#include <linux/delay.h>
#include <linux/sched/mm.h>
#include <linux/sched/signal.h>

#include "extents.h"
#include "xfer.h"

static void ubdx_quiesce_queue(struct ubdx_dev *dev)
{
	if (dev->quiesced)
		return;
	blk_mq_quiesce_queue(dev->queue);
	dev->quiesced = true;
}

static void ubdx_unquiesce_queue(struct ubdx_dev *dev)
{
	if (!dev->quiesced)
		return;
	dev->quiesced = false;
	blk_mq_unquiesce_queue(dev->queue);
}

/**
 * ubdx_dev_oust - keep a failed server from writing to its storage while the next server serves.
 * @dev:	device that recovers, and whose server has started. dev->lock is held.
 *
 * Kills the server if it still lives. The next server's START succeeds only after the failed
 * server's memory is gone.
 */
void ubdx_dev_oust(struct ubdx_dev *dev)
{
	lockdep_assert_held(&dev->lock);

	ubdx_server_kill(dev->srv);
	ubdx_dev_forget_former(dev);
	mmgrab(dev->srv->mm);
	dev->former = dev->srv->mm;
}

void ubdx_dev_forget_former(struct ubdx_dev *dev)
{
	if (dev->former)
		mmdrop(dev->former);
	dev->former = NULL;
}

/**
 * ubdx_dev_has_former - can a server that ubdx_dev_oust() has killed still issue I/O?
 * @dev:	device. dev->lock is held.
 *
 * A task drops its memory in exit_mm(), after its last instruction in user space and after the
 * workers of its io_uring have ended. I/O that it had issued before may still be under way; see
 * docs/design.md, "Late writes".
 */
bool ubdx_dev_has_former(struct ubdx_dev *dev)
{
	lockdep_assert_held(&dev->lock);

	if (dev->former && !atomic_read(&dev->former->mm_users))
		ubdx_dev_forget_former(dev);
	return dev->former;
}

/**
 * ubdx_dev_detach - take an aborted server off its device, which becomes QUIESCED.
 * @dev:	device, LIVE or QUIESCED. Has a server. dev->lock is held.
 */
void ubdx_dev_detach(struct ubdx_dev *dev)
{
	struct ubdx_server *srv = dev->srv;

	lockdep_assert_held(&dev->lock);

	ubdx_quiesce_queue(dev);
	ubdx_tick_stop(dev);
	ubdx_set_srvq(dev, NULL);
	synchronize_rcu();
	ubdx_set_state(dev, UBDX_S_QUIESCED, NULL, dev->disk);
	ubdx_server_put(srv);
}

/**
 * ubdx_dev_resume - make a QUIESCED device LIVE. Its new server is ready.
 * @dev:	device. dev->lock is held.
 *
 * Returns 0, or -EAGAIN, see ubdx_scan_forbid().
 */
int ubdx_dev_resume(struct ubdx_dev *dev)
{
	int ret;

	lockdep_assert_held(&dev->lock);

	ret = ubdx_scan_forbid(dev);
	if (ret)
		return ret;
	ubdx_set_srvq(dev, dev->srv);
	ubdx_set_state(dev, UBDX_S_LIVE, dev->srv, dev->disk);
	ubdx_tick_start(dev);
	ubdx_unquiesce_queue(dev);
	ubdx_scan_start(dev);
	return 0;
}

/* Is the driver doing a request's I/O itself? */
bool ubdx_dev_forwards(const struct ubdx_dev *dev)
{
	unsigned int i;
	u16 tag;

	for (i = 0; i < dev->params.nr_queues; i++) {
		cond_resched();
		for (tag = 0; tag < dev->params.depth; tag++)
			if (ubdx_slot_state(&dev->queues[i]->slots[tag]) == UBDX_SLOT_IO)
				return true;
	}
	return false;
}

/* Has all I/O ended? */
static bool ubdx_dev_idle(const struct ubdx_dev *dev)
{
	unsigned int i;
	u16 tag;

	for (i = 0; i < dev->params.nr_queues; i++)
		for (tag = 0; tag < dev->params.depth; tag++)
			if (ubdx_slot_state(&dev->queues[i]->slots[tag]) != UBDX_SLOT_IDLE)
				return false;
	return !ubdx_map_is_busy(dev->map);
}

/*
 * Wait for the requests in flight and for I/O in extents. This polls, because blk-mq can wait for
 * requests only by freezing the queue, which would also wait for the requests in the quiesced
 * queue. If the server dies, the abort ends or requeues the requests in flight.
 */
static int ubdx_wait_idle(const struct ubdx_dev *dev)
{
	unsigned long end = jiffies + msecs_to_jiffies(dev->params.timeout_ms);

	while (!ubdx_dev_idle(dev)) {
		if (time_after(jiffies, end))
			return -ETIME;
		if (msleep_interruptible(1) && signal_pending(current))
			return -EINTR;
	}
	return 0;
}

/**
 * ubdx_dev_quiesce - QUIESCE: wait until the requests in flight have ended, then take the server
 * off the device.
 * @dev:	device.
 *
 * Returns 0 or an error, see UBDX_IOC_QUIESCE.
 */
int ubdx_dev_quiesce(struct ubdx_dev *dev)
{
	int ret;

	ret = mutex_lock_killable(&dev->lock);
	if (ret)
		return ret;
	if (dev->state != UBDX_S_LIVE)
		ret = -ENODEV;
	else if (dev->stopping)
		ret = -ESHUTDOWN;
	else if (!dev->recovers)
		ret = -EOPNOTSUPP;
	if (ret)
		goto unlock;
	ubdx_quiesce_queue(dev);
	ubdx_map_suspend(dev->srv, true);
	ret = ubdx_wait_idle(dev);
	if (ret) {
		ubdx_map_suspend(dev->srv, false);
		ubdx_unquiesce_queue(dev);
		goto unlock;
	}
	/* The server has failed, and requests may have been aborted: that is no hand-over. */
	if (READ_ONCE(dev->srv->queues[0]->dead)) {
		ret = -ENXIO;
		/*
		 * If the device is being stopped by force, or doesn't recover any more, another
		 * thread waits for dev->lock and will remove the disk. Keep the dead server on the
		 * device until then, so that no other server can open the channel.
		 */
		if (READ_ONCE(dev->srv->quits) || !READ_ONCE(dev->recovers)) {
			ubdx_unquiesce_queue(dev);
			goto unlock;
		}
		ubdx_dev_oust(dev);
	}
	ubdx_server_abort(dev->srv);
	ubdx_dev_detach(dev);
unlock:
	mutex_unlock(&dev->lock);
	return ret;
}

/**
 * ubdx_dev_stop_recovering - from now on requests without a server fail.
 * @dev:	device with a disk. dev->lock is held.
 *
 * Aborts the device's server, if there is one.
 */
void ubdx_dev_stop_recovering(struct ubdx_dev *dev)
{
	lockdep_assert_held(&dev->lock);

	WRITE_ONCE(dev->recovers, false);
	if (dev->srv)
		ubdx_server_abort(dev->srv);
	ubdx_unquiesce_queue(dev);
}
