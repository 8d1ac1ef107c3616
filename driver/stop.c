// SPDX-License-Identifier: GPL-2.0
/*
 * stop.c - how a block device goes: STOP and DEL, the last close, the end of its server.
 *
 * struct ubdx_ctl in the UAPI header says in which ways a device can be stopped. All of them are
 * serialised by dev->lock, which is held while del_gendisk() waits for I/O. A stop by force must
 * not wait for an orderly one: before it takes dev->lock it aborts the server, so all I/O ends.
 *
 * dev->stopping and dev->closing are written under the disk's open_mutex, under which the block
 * layer counts openers: so no open and no close is missed between a look at the count and the mark.
 *
 *   closing	opens are refused: the disk is being removed.
 *   stopping	the device is served as before, and deleted at the last close
 *		(UBDX_CTL_LAST_CLOSE). It doesn't wait for another server any more:
 *		dev->recovers is cleared. A close is called with open_mutex held, and maybe by the
 *		server, so a work item deletes. If a program opens the device before the work item
 *		runs, the next last close tries again.
 */
#include <linux/blkdev.h>
#include <linux/sched/signal.h>
#include <linux/workqueue.h>

#include "dev.h"

/* ---- removing the disk ---- */

/* To write back what is dirty may take long. After the limit the server counts as gone. */
struct ubdx_limit {
	struct delayed_work work;
	struct ubdx_server *srv;
};

static void ubdx_limit_work(struct work_struct *work)
{
	struct ubdx_limit *limit = container_of(to_delayed_work(work), struct ubdx_limit, work);

	ubdx_server_abort(limit->srv);
}

/* Has the file systems on it write back through @srv, if that is alive, and shut down. */
static void ubdx_disk_del(struct gendisk *disk, struct ubdx_server *srv, u32 timeout_ms)
{
	struct ubdx_limit limit = { .srv = srv };

	if (!srv || !timeout_ms) {
		del_gendisk(disk);
		return;
	}
	INIT_DELAYED_WORK_ONSTACK(&limit.work, ubdx_limit_work);
	queue_delayed_work(ubdx_wq, &limit.work, msecs_to_jiffies(timeout_ms));
	del_gendisk(disk);
	cancel_delayed_work_sync(&limit.work);
	destroy_delayed_work_on_stack(&limit.work);
}

/*
 * Take the disk away if there is one, and let go of the server. I/O must be able to end: served, or
 * aborted. @state is what the device is after it.
 */
static void ubdx_dev_take_down(struct ubdx_dev *dev, enum ubdx_state state, u32 timeout_ms)
{
	struct gendisk *disk = dev->disk;
	struct ubdx_server *srv;

	lockdep_assert_held(&dev->lock);

	/*
	 * No process can become the server until this is through: the device has one, or is DEAD.
	 * With a server that lives the state stays as it was.
	 */
	spin_lock(&dev->state_lock);
	srv = dev->srv;
	if (!srv || READ_ONCE(srv->queues[0]->dead))
		dev->state = state;
	spin_unlock(&dev->state_lock);

	if (disk) {
		ubdx_disk_del(disk, srv, timeout_ms);
		cancel_work_sync(&dev->scan_work);
	}
	if (srv)
		ubdx_server_abort(srv);
	if (disk) {
		ubdx_tick_stop(dev);
		ubdx_set_srvq(dev, NULL);
	}
	ubdx_set_state(dev, state, NULL, NULL);
	if (disk)
		put_disk(disk);
	if (srv)
		ubdx_server_put(srv);
}

/* ---- opens and closes ---- */

/* I/O waits for another server, or is about to, and that may be for ever. */
static bool ubdx_dev_waits(const struct ubdx_dev *dev)
{
	return dev->quiesced ||
	       (READ_ONCE(dev->recovers) && (!dev->srv || READ_ONCE(dev->srv->queues[0]->dead)));
}

/*
 * The holder of a disk's open_mutex may be waiting for I/O. That ends, unless it waits for another
 * server; the present one may be gone at any time.
 */
static int ubdx_dev_lock_opens(struct ubdx_dev *dev, const struct ubdx_stop *how)
{
	if (how->flags & UBDX_CTL_FORCE) { /* all I/O fails by now */
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

/* Refuse opens from now on, if the openers that there are, and @how, allow it. */
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

/* Every close, of a partition too. The count is that of the disk and all of its partitions. */
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
	/* The server has been aborted, so nobody holds it for long. */
	mutex_lock(&dev->lock);
	return 0;
}

static int ubdx_dev_stop_locked(struct ubdx_dev *dev, const struct ubdx_stop *how)
{
	struct gendisk *disk = dev->disk;
	bool force = how->flags & UBDX_CTL_FORCE;
	int ret;

	lockdep_assert_held(&dev->lock);

	/* First of all: the holder of open_mutex may be waiting for I/O, the partition scan say. */
	if (disk && force)
		ubdx_dev_stop_recovering(dev);
	ret = disk ? ubdx_dev_close(dev, how) : 0;
	if (ret)
		return ret;
	if (disk && (force || dev->quiesced)) {
		ubdx_dev_stop_recovering(dev);
		blk_mark_disk_dead(disk);
	}
	/* A server that dies from now on isn't waited for: del_gendisk() must come to its end. */
	WRITE_ONCE(dev->recovers, false);
	ubdx_dev_take_down(dev, UBDX_S_DEAD, how->timeout_ms);
	return how->del && !ubdx_dev_unlist(dev) ? -ENODEV : 0;
}

/* All requests fail from now on, also those that the holder of dev->lock waits for. */
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
 * ubdx_dev_stop - STOP or DEL, on the control node.
 * @dev:	device; the caller keeps its own reference.
 * @how:	see struct ubdx_ctl.
 *
 * A server that still has the channel open keeps the memory of a deleted device, and nothing else.
 * Returns 0; -EBUSY; -EINPROGRESS it will be deleted at the last close; -ENODEV another DEL deletes
 * it; -EINTR.
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
 * Returns as ubdx_dev_stop() does; -ENODEV also if this is not the device's server any more.
 *
 * A stop by force aborts the server first, which then may close its ring: that must not look like a
 * server that has failed, whose device waits for another. So @quits leaves the rest to us.
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
 * The server has been aborted. If it was this device's, the disk goes, or waits; if not yet LIVE,
 * another may come.
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
		 * Where it only stumbled it must not write when another does. One that has yet to
		 * start has nothing to write.
		 */
		if (rcu_access_pointer(dev->queues[0]->srvq) == srv->queues[0])
			ubdx_dev_oust(dev);
		ubdx_dev_detach(dev);
	} else {
		if (dev->disk) {
			/* a forced STOP may be on its way to a device that waits */
			ubdx_dev_stop_recovering(dev);
			blk_mark_disk_dead(dev->disk);
		}
		ubdx_dev_take_down(dev, dev->disk ? UBDX_S_DEAD : dev->state, 0);
	}
unlock:
	mutex_unlock(&dev->lock);
}
