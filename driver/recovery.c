// SPDX-License-Identifier: GPL-2.0
/*
 * recovery.c - a device outlives its server: enum ubdx_recovery in the UAPI header says what that
 * means for its user.
 *
 * A device that recovers has dev->recovers set from its first START until it is stopped. As long as
 * it is set, a request that finds its server dead is given back to blk-mq, by queue_rq as
 * BLK_STS_RESOURCE and by the abort as a requeue, and tried again. That alone would be correct; to
 * quiesce the queue, under dev->lock, just ends the trying. STOP clears it first: from then on
 * requests without a server fail, so that del_gendisk() comes to its end.
 *
 * q->srvq is changed with no queue_rq under way, and without a tick. Whoever reads it otherwise (sysfs)
 * is in an RCU read-side critical section, and the ubdx_server is put a grace period after q->srvq was
 * cleared, or after del_gendisk() has seen to it that nobody looks.
 */
#include <linux/blk-mq.h>
#include <linux/delay.h>
#include <linux/sched/mm.h>
#include <linux/sched/signal.h>

#include "xfer.h"

static void ubdx_hold_requests(struct ubdx_dev *dev)
{
	if (dev->quiesced)
		return;
	blk_mq_quiesce_queue(dev->disk->queue);
	dev->quiesced = true;
}

static void ubdx_release_requests(struct ubdx_dev *dev)
{
	if (!dev->quiesced)
		return;
	dev->quiesced = false;
	blk_mq_unquiesce_queue(dev->disk->queue);
}

/**
 * ubdx_dev_oust - the device's server has failed, and must not write when another does.
 * @dev:	device, which recovers. Has a server, which has served. dev->lock is held.
 *
 * It is killed, if it still lives, and no other START succeeds before its memory is gone.
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
 * ubdx_dev_has_former - may a server that was ousted still do something?
 * @dev:	device. dev->lock is held.
 *
 * A task drops its memory, exit_mm(), after its last instruction in user space, and after its
 * io_uring's workers have ended. What its other I/O may still write is the target's affair; see
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
 * ubdx_dev_detach - the device's server, which has been aborted, is not that any more.
 * @dev:	device, LIVE or QUIESCED. Has a server. dev->lock is held.
 */
void ubdx_dev_detach(struct ubdx_dev *dev)
{
	struct ubdx_server *srv = dev->srv;

	lockdep_assert_held(&dev->lock);

	ubdx_hold_requests(dev);
	ubdx_tick_stop(dev);
	ubdx_set_srvq(dev, NULL);
	synchronize_rcu();
	ubdx_set_state(dev, UBDX_S_QUIESCED, NULL, dev->disk);
	ubdx_server_put(srv);
}

/**
 * ubdx_dev_resume - a QUIESCED device has a server again, which is ready.
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
	ubdx_release_requests(dev);
	ubdx_scan_start(dev);
	return 0;
}

/* No request is at the server, or on its way there or back. */
static bool ubdx_dev_idle(const struct ubdx_dev *dev)
{
	unsigned int i;
	u16 tag;

	for (i = 0; i < dev->params.nr_queues; i++)
		for (tag = 0; tag < dev->params.depth; tag++)
			if (ubdx_slot_state(&dev->queues[i]->slots[tag]) != UBDX_SLOT_IDLE)
				return false;
	return true;
}

/*
 * blk-mq can only wait for a queue's requests to end if it may also start those that wait, so this
 * looks now and then. Should the server die, the abort sees to it that they end.
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
 * ubdx_dev_quiesce - hand over: let the server answer what it has, and let it go.
 * @dev:	device.
 *
 * Returns 0, -ENODEV if it isn't LIVE, -ESHUTDOWN if it is being stopped, -EOPNOTSUPP if it doesn't
 * recover, -ETIME, -EINTR; -ENXIO if the server failed meanwhile: the device is QUIESCED then, too, or
 * about to go, but the server has handed nothing over.
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
	ubdx_hold_requests(dev);
	ret = ubdx_wait_idle(dev);
	if (ret) {
		ubdx_release_requests(dev);
		goto unlock;
	}
	/* It may have failed since, so that requests were aborted. Then this was no hand-over. */
	if (READ_ONCE(dev->srv->queues[0]->dead)) {
		ret = -ENXIO;
		/*
		 * A forced STOP, or ubdx_dev_server_gone() of a device that doesn't recover any more,
		 * waits for dev->lock and takes the device away. No other server may come before.
		 */
		if (READ_ONCE(dev->srv->quits) || !READ_ONCE(dev->recovers)) {
			ubdx_release_requests(dev);
			goto unlock;
		}
		/* it must not write when another one serves */
		ubdx_dev_oust(dev);
	}
	ubdx_server_abort(dev->srv);
	ubdx_dev_detach(dev);
unlock:
	mutex_unlock(&dev->lock);
	return ret;
}

/**
 * ubdx_dev_give_up - nobody is waited for any more: what has no server fails.
 * @dev:	device with a disk. dev->lock is held.
 */
void ubdx_dev_give_up(struct ubdx_dev *dev)
{
	lockdep_assert_held(&dev->lock);

	WRITE_ONCE(dev->recovers, false);
	if (dev->srv)
		ubdx_server_abort(dev->srv);
	ubdx_release_requests(dev);
}
