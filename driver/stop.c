// SPDX-License-Identifier: GPL-2.0
/*
 * stop.c - how a block device is removed: by STOP or DEL, at the last close, or when its server
 * ends.
 *
 * UBDX_CTL_* in the UAPI header are the ways to stop a device. dev->lock serialises them, and is
 * held while del_gendisk() waits for I/O. A forced stop must not wait for the server that an
 * orderly stop waits for. So a forced stop aborts the server before it takes dev->lock. The abort
 * ends the I/O for which the holder of dev->lock waits, except the driver's own.
 *
 * dev->stopping and dev->closing are written under the disk's open_mutex. The block layer counts
 * openers under that mutex, too, so the count can't change between its check and the write.
 *
 *   closing	opens are refused: the disk is being removed.
 *   stopping	the device is served as before, and deleted at the last close
 *		(UBDX_CTL_LAST_CLOSE). dev->recovers is cleared, so requests don't wait for another
 *		server if this one fails. ->release() runs with open_mutex held, perhaps in the
 *		server's task, so a work item deletes the device. If a program opens the device
 *		before the work item runs, the next last close tries again.
 */
#include <linux/blkdev.h>
#include <linux/sched/signal.h>
#include <linux/workqueue.h>

#include "extents.h"

/* ---- removing the disk ---- */

/* Writing back dirty pages can take long. After the time limit the server is aborted. */
struct ubdx_limit {
	struct delayed_work work;
	struct ubdx_server *srv;
};

static void ubdx_limit_work(struct work_struct *work)
{
	struct ubdx_limit *limit = container_of(to_delayed_work(work), struct ubdx_limit, work);

	ubdx_server_abort(limit->srv);
}

/* The visible disk first: its dirty pages are written through the hidden disk. */
static void ubdx_dev_del_disks(struct ubdx_dev *dev)
{
	del_gendisk(dev->disk);
	ubdx_dev_del_back(dev);
}

/* Remove the disk. Its file systems write back, through @srv if it is alive, and shut down. */
static void ubdx_disk_del(struct ubdx_dev *dev, struct ubdx_server *srv, u32 timeout_ms)
{
	struct ubdx_limit limit = { .srv = srv };

	if (!srv || !timeout_ms) {
		ubdx_dev_del_disks(dev);
		return;
	}
	INIT_DELAYED_WORK_ONSTACK(&limit.work, ubdx_limit_work);
	queue_delayed_work(ubdx_wq, &limit.work, msecs_to_jiffies(timeout_ms));
	ubdx_dev_del_disks(dev);
	cancel_delayed_work_sync(&limit.work);
	destroy_delayed_work_on_stack(&limit.work);
}

/*
 * Remove the disk if there is one, and take the server off the device. All I/O must be able to end:
 * either a server answers, or requests fail (!dev->recovers). @state: the device's next state.
 */
static void ubdx_dev_take_down(struct ubdx_dev *dev, enum ubdx_state state, u32 timeout_ms)
{
	struct gendisk *disk = dev->disk;
	struct ubdx_server *srv;

	lockdep_assert_held(&dev->lock);

	/*
	 * No process can become the server before this function is done, because open() sees a
	 * server or the state DEAD. While the server is alive, the state doesn't change yet.
	 */
	spin_lock(&dev->state_lock);
	srv = dev->srv;
	if (!srv || READ_ONCE(srv->queues[0]->dead))
		dev->state = state;
	spin_unlock(&dev->state_lock);

	if (disk) {
		if (dev->state == UBDX_S_DEAD && ubdx_dev_forwards(dev))
			pr_warn("ubdx: ubdxb%d: its removal waits for I/O that its server has forwarded\n",
				dev->id);
		ubdx_disk_del(dev, srv, timeout_ms);
		cancel_work_sync(&dev->scan_work);
	}
	if (srv)
		ubdx_server_abort(srv);
	if (disk) {
		ubdx_map_wait(dev->map);
		ubdx_tick_stop(dev);
		ubdx_set_srvq(dev, NULL);
		/* a worker of the map may be looking for the server, see ubdx_map_server() */
		if (dev->map)
			synchronize_rcu();
	}
	ubdx_set_state(dev, state, NULL, NULL);
	if (disk)
		put_disk(disk);
	if (srv)
		ubdx_server_put(srv);
}

/* New I/O fails from now on. I/O that was forwarded or is in an extent isn't stopped. */
static void ubdx_dev_mark_dead(struct ubdx_dev *dev)
{
	blk_mark_disk_dead(dev->disk);
	if (dev->back)
		blk_mark_disk_dead(dev->back);
}

/* ---- opens and closes ---- */

/* Does I/O wait for the next server, or is it about to? Such I/O may wait for ever. */
static bool ubdx_dev_waits(const struct ubdx_dev *dev)
{
	return dev->quiesced ||
	       (READ_ONCE(dev->recovers) && (!dev->srv || READ_ONCE(dev->srv->queues[0]->dead)));
}

/*
 * Take the disk's open_mutex. Its holder may be waiting for I/O, and that I/O may be waiting for
 * another server: then -EBUSY. The present server can fail at any time, so this function polls.
 */
static int ubdx_dev_lock_opens(struct ubdx_dev *dev, const struct ubdx_stop *how)
{
	if (how->flags & UBDX_CTL_FORCE) { /* no I/O waits for a server any more */
		mutex_lock(&dev->disk->open_mutex);
		return 0;
	}
	while (!mutex_trylock(&dev->disk->open_mutex)) {
		if (ubdx_dev_waits(dev))
			return -EBUSY;
		if (fatal_signal_pending(current))
			return -EINTR;
		schedule_timeout_killable(msecs_to_jiffies(20));
	}
	return 0;
}

/*
 * Refuse opens from now on, if the disk has no openers or @how allows openers. With
 * UBDX_CTL_LAST_CLOSE, mark an open device for deletion instead, and return -EINPROGRESS. -EBUSY in
 * all other cases, and, unless forced, for an open disk whose I/O waits for a server.
 */
static int ubdx_dev_close(struct ubdx_dev *dev, const struct ubdx_stop *how)
{
	bool served;
	int ret = ubdx_dev_lock_opens(dev, how);

	if (ret)
		return ret;
	served = !ubdx_dev_waits(dev);
	if (!disk_openers(dev->disk) || how->flags & UBDX_CTL_FORCE ||
	    (how->flags & UBDX_CTL_IN_USE && served)) {
		WRITE_ONCE(dev->closing, true);
	} else if (how->flags & UBDX_CTL_LAST_CLOSE && served) {
		WRITE_ONCE(dev->recovers, false);
		WRITE_ONCE(dev->stopping, true);
		ret = -EINPROGRESS;
	} else {
		ret = -EBUSY;
	}
	mutex_unlock(&dev->disk->open_mutex);
	return ret;
}

int ubdx_disk_open(struct gendisk *disk, blk_mode_t mode)
{
	struct ubdx_dev *dev = disk->private_data;

	return dev->closing ? -ENXIO : 0;
}

/* Called at every close, also of a partition. disk_openers() includes the openers of partitions. */
void ubdx_disk_release(struct gendisk *disk)
{
	struct ubdx_dev *dev = disk->private_data;

	if (!dev->stopping || disk_openers(disk))
		return;
	get_device(&dev->device);
	if (!queue_work(ubdx_io_wq, &dev->close_work))
		ubdx_dev_put(dev);
}

void ubdx_close_work(struct work_struct *work)
{
	struct ubdx_dev *dev = container_of(work, struct ubdx_dev, close_work);

	ubdx_dev_stop(dev, &(struct ubdx_stop){ .del = true });
	ubdx_dev_put(dev);
}

/* ---- STOP and DEL ---- */

static int ubdx_dev_lock(struct ubdx_dev *dev, const struct ubdx_stop *how)
{
	if (!(how->flags & UBDX_CTL_FORCE))
		return mutex_lock_killable(&dev->lock);
	/* The server was aborted: the lock's holder waits for the driver's own I/O at most. */
	mutex_lock(&dev->lock);
	return 0;
}

static int ubdx_dev_stop_locked(struct ubdx_dev *dev, const struct ubdx_stop *how)
{
	struct gendisk *disk = dev->disk;
	bool force = how->flags & UBDX_CTL_FORCE;
	int ret;

	lockdep_assert_held(&dev->lock);

	/* before open_mutex is taken: its holder, such as the partition scan, may wait for I/O */
	if (disk && force)
		ubdx_dev_stop_recovering(dev);
	ret = disk ? ubdx_dev_close(dev, how) : 0;
	if (ret)
		return ret;
	if (disk && (force || dev->quiesced)) {
		ubdx_dev_stop_recovering(dev);
		ubdx_dev_mark_dead(dev);
	}
	/* If the server dies from now on, requests must fail, because del_gendisk() must finish. */
	WRITE_ONCE(dev->recovers, false);
	ubdx_dev_take_down(dev, UBDX_S_DEAD, how->timeout_ms);
	return how->del && !ubdx_dev_unlist(dev) ? -ENODEV : 0;
}

/* Abort the server, so that requests fail, also those that the holder of dev->lock waits for. */
static void ubdx_dev_cut_short(struct ubdx_dev *dev)
{
	struct ubdx_server *srv;

	spin_lock(&dev->state_lock);
	WRITE_ONCE(dev->recovers, false);
	srv = dev->srv;
	if (srv)
		kref_get(&srv->ref);
	spin_unlock(&dev->state_lock);
	if (srv) {
		ubdx_server_abort(srv);
		ubdx_server_put(srv);
	}
}

/**
 * ubdx_dev_stop - STOP or DEL a device, whichever server it has.
 * @dev:	device; the caller keeps its own reference.
 * @how:	see struct ubdx_ctl.
 *
 * Called for ioctls of the control node, and to delete a device at its last close, after a failed
 * ADD or at the module's exit. After DEL, a server that still has the channel open keeps only the
 * device's memory alive.
 *
 * Returns 0; -EBUSY; -EINPROGRESS the device will be deleted at the last close; -ENODEV another DEL
 * deletes the device; -EINTR.
 */
int ubdx_dev_stop(struct ubdx_dev *dev, const struct ubdx_stop *how)
{
	int ret;

	if (how->flags & UBDX_CTL_FORCE)
		ubdx_dev_cut_short(dev);
	ret = ubdx_dev_lock(dev, how);
	if (ret)
		return ret;
	ret = ubdx_dev_stop_locked(dev, how);
	mutex_unlock(&dev->lock);
	if (!ret && how->del)
		ubdx_dev_forget(dev);
	return ret;
}

/**
 * ubdx_server_stop - STOP or DEL, on the channel: the server's own device.
 * @srv:	server.
 * @how:	see struct ubdx_ctl.
 *
 * Returns as ubdx_dev_stop() does; -ENODEV also if @srv is not the device's server any more.
 *
 * A forced stop aborts the server first, and the server may then close its ring. That isn't a
 * failure, and the device must not recover from it. So srv->quits tells ubdx_dev_server_gone() and
 * ubdx_dev_quiesce() to leave the device to this function.
 */
int ubdx_server_stop(struct ubdx_server *srv, const struct ubdx_stop *how)
{
	struct ubdx_dev *dev = srv->dev;
	int ret;

	if (how->flags & UBDX_CTL_FORCE) {
		WRITE_ONCE(srv->quits, true);
		ubdx_server_abort(srv);
	}
	ret = ubdx_dev_lock(dev, how);
	if (ret)
		return ret;
	ret = dev->srv == srv ? ubdx_dev_stop_locked(dev, how) : -ENODEV;
	mutex_unlock(&dev->lock);
	if (!ret && how->del)
		ubdx_dev_forget(dev);
	return ret;
}

/*
 * @srv has been aborted. If @srv is still the device's server, and isn't itself stopping the device
 * by force (srv->quits), take @srv off the device. A device that recovers keeps its disk and
 * becomes QUIESCED. Otherwise the disk is removed, and the device becomes DEAD. A device without a
 * disk stays ADDED.
 */
void ubdx_dev_server_gone(struct ubdx_dev *dev, struct ubdx_server *srv)
{
	mutex_lock(&dev->lock);
	if (dev->srv != srv || READ_ONCE(srv->quits))
		goto unlock;
	if (dev->disk)
		pr_warn("ubdx: ubdxb%d: server %d is gone\n", dev->id, pid_nr(srv->tgid));
	if (dev->recovers) {
		/*
		 * The failed server may still run, and must not write to its storage while the next
		 * server serves. A server that has not started has nothing to write.
		 */
		if (rcu_access_pointer(dev->queues[0]->srvq) == srv->queues[0])
			ubdx_dev_oust(dev);
		ubdx_dev_detach(dev);
	} else {
		if (dev->disk) {
			/* a forced STOP may have cleared recovers of a quiesced device */
			ubdx_dev_stop_recovering(dev);
			ubdx_dev_mark_dead(dev);
		}
		ubdx_dev_take_down(dev, dev->disk ? UBDX_S_DEAD : dev->state, 0);
	}
unlock:
	mutex_unlock(&dev->lock);
}
