// SPDX-License-Identifier: GPL-2.0
/*
 * scan.c - the kernel's partition scan of a device.
 *
 * A scan reads through the server, so START can't wait for it: a work item scans. The kernel's
 * partition parsers were not written for hostile data that changes between two reads. So they get
 * only data of a trusted server (struct ubdx_server.trusted), as in ublk. GD_SUPPRESS_PART_SCAN is
 * set from the disk's creation until the first scan, and again when an untrusted server takes over.
 * This bit also makes BLKRRPART fail.
 *
 * Every scan holds disk->open_mutex. Once the disk is visible, the bit changes only under that
 * mutex. So no scan is under way when an untrusted server starts to serve.
 */
#include <linux/blkdev.h>
#include <linux/delay.h>

#include "dev.h"

#define UBDX_SCAN_TRIES 100
#define UBDX_SCAN_WAIT_MS 10

static bool ubdx_dev_trusts_server(struct ubdx_dev *dev)
{
	bool trusted;

	spin_lock(&dev->state_lock);
	trusted = dev->srv && dev->srv->trusted;
	spin_unlock(&dev->state_lock);
	return trusted;
}

/*
 * Don't scan if the trusted server has left by now: START of the next trusted server schedules a
 * scan.
 */
static void ubdx_scan_work(struct work_struct *work)
{
	struct ubdx_dev *dev = container_of(work, struct ubdx_dev, scan_work);
	struct gendisk *disk = dev->disk; /* STOP cancels this work before it puts the disk */

	mutex_lock(&disk->open_mutex);
	if (ubdx_dev_trusts_server(dev)) {
		clear_bit(GD_SUPPRESS_PART_SCAN, &disk->state);
		bdev_disk_changed(disk, false);
	}
	mutex_unlock(&disk->open_mutex);
	WRITE_ONCE(dev->scanning, false);
}

void ubdx_scan_init_dev(struct ubdx_dev *dev)
{
	INIT_WORK(&dev->scan_work, ubdx_scan_work);
}

/**
 * ubdx_scan_start - schedule a partition scan, if the server is trusted and scans are suppressed.
 * @dev:	device, LIVE. dev->lock is held.
 */
void ubdx_scan_start(struct ubdx_dev *dev)
{
	lockdep_assert_held(&dev->lock);

	if (!dev->srv->trusted || !test_bit(GD_SUPPRESS_PART_SCAN, &dev->disk->state))
		return;
	WRITE_ONCE(dev->scanning, true);
	queue_work(ubdx_io_wq, &dev->scan_work);
}

/**
 * ubdx_scan_forbid - forbid scans if an untrusted server is about to serve the device.
 * @dev:	device, QUIESCED. dev->lock is held.
 *
 * Returns 0, or -EAGAIN: open_mutex is held, probably by a scan that began under another server and
 * waits for this one.
 */
int ubdx_scan_forbid(struct ubdx_dev *dev)
{
	int tries;

	lockdep_assert_held(&dev->lock);

	if (dev->srv->trusted)
		return 0;
	/*
	 * An open holds open_mutex for a moment only. A scan holds it until its reads have ended,
	 * and a last close until dirty pages are written; both may wait for this server.
	 */
	for (tries = 0; tries < UBDX_SCAN_TRIES; tries++) {
		if (mutex_trylock(&dev->disk->open_mutex)) {
			set_bit(GD_SUPPRESS_PART_SCAN, &dev->disk->state);
			mutex_unlock(&dev->disk->open_mutex);
			return 0;
		}
		msleep(UBDX_SCAN_WAIT_MS);
	}
	return -EAGAIN;
}
