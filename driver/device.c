// SPDX-License-Identifier: GPL-2.0
/*
 * device.c - the table of devices, and a device's life from ADD to its last reference; stop.c has
 * STOP and DEL.
 *
 * dev.h lists who holds references to a device. The device owns its queues and its tag set. The
 * module's exit deletes every device in the table. Then it waits until the last device is freed,
 * because the release function is in this module.
 *
 * dev->lock serialises START, STOP, DEL, QUIESCE and the end of a server. It is held while
 * del_gendisk() waits for I/O, so ubdx_server_abort(), which ends I/O, never takes the lock. INFO
 * and the channel's open() must not wait for I/O, and don't take the lock, either.
 */
#include <linux/blkdev.h>
#include <linux/delay.h>
#include <linux/idr.h>
#include <linux/nodemask.h>
#include <linux/sched/signal.h>
#include <linux/slab.h>
#include <linux/wait_bit.h>

#include "chan.h"
#include "extents.h"
#include "forward.h"
#include "xfer.h"

#define UBDX_MINORS (1U << MINORBITS)

struct workqueue_struct *ubdx_wq;
struct workqueue_struct *ubdx_io_wq;
struct workqueue_struct *ubdx_detach_wq;

static DEFINE_IDR(ubdx_devs);
static DEFINE_MUTEX(ubdx_devs_lock); /* ubdx_devs, ubdx_nr_devs */
static unsigned int ubdx_nr_devs;
static atomic_t ubdx_nr_unreleased;
static dev_t ubdx_chan_devt;

static const struct class ubdx_chan_class = {
	.name = "ubdx-chan",
};

/* ---- the table ---- */

/**
 * ubdx_dev_get - look a device up.
 * @id:		its number, or with @next the lowest number to look at.
 * @next:	take the device with the lowest number that is not below @id.
 *
 * Returns the device with a reference that the caller must put, or NULL.
 */
struct ubdx_dev *ubdx_dev_get(int id, bool next)
{
	struct ubdx_dev *dev;

	if (id < 0)
		return NULL;
	mutex_lock(&ubdx_devs_lock);
	dev = next ? idr_get_next(&ubdx_devs, &id) : idr_find(&ubdx_devs, id);
	if (dev)
		get_device(&dev->device);
	mutex_unlock(&ubdx_devs_lock);
	return dev;
}

unsigned int ubdx_dev_count(void)
{
	return READ_ONCE(ubdx_nr_devs);
}

/* Call @fn for each device in the table, under ubdx_devs_lock. @fn must not take dev->lock. */
void ubdx_dev_for_each(void (*fn)(struct ubdx_dev *dev))
{
	struct ubdx_dev *dev;
	int id;

	mutex_lock(&ubdx_devs_lock);
	idr_for_each_entry(&ubdx_devs, dev, id)
		fn(dev);
	mutex_unlock(&ubdx_devs_lock);
}

/* Reserve a number. ubdx_dev_get() doesn't find the device before ubdx_dev_register(). */
static int ubdx_dev_reserve(int id)
{
	int ret;

	if (id < -1 || id >= (int)UBDX_MINORS)
		return -EINVAL;
	mutex_lock(&ubdx_devs_lock);
	if (ubdx_nr_devs >= READ_ONCE(ubdx_max_devices)) {
		ret = -ENOSPC;
	} else if (id < 0) {
		ret = idr_alloc(&ubdx_devs, NULL, 0, UBDX_MINORS, GFP_KERNEL_ACCOUNT);
	} else {
		ret = idr_alloc(&ubdx_devs, NULL, id, id + 1, GFP_KERNEL_ACCOUNT);
		if (ret == -ENOSPC)
			ret = -EEXIST;
	}
	if (ret >= 0)
		ubdx_nr_devs++;
	mutex_unlock(&ubdx_devs_lock);
	return ret;
}

/*
 * Remove a device from the table; its number stays taken. Returns false if it was removed already.
 */
bool ubdx_dev_unlist(struct ubdx_dev *dev)
{
	bool mine;

	mutex_lock(&ubdx_devs_lock);
	mine = idr_find(&ubdx_devs, dev->id) == dev;
	if (mine)
		idr_replace(&ubdx_devs, NULL, dev->id);
	mutex_unlock(&ubdx_devs_lock);
	return mine;
}

static void ubdx_dev_unreserve(int id)
{
	mutex_lock(&ubdx_devs_lock);
	idr_remove(&ubdx_devs, id);
	ubdx_nr_devs--;
	mutex_unlock(&ubdx_devs_lock);
}

/* ---- parameters ---- */

#define UBDX_DEFAULT(field, value)         \
	do {                               \
		if (!(field))              \
			(field) = (value); \
	} while (0)

static void ubdx_params_default(struct ubdx_params *p)
{
	UBDX_DEFAULT(p->nr_queues, UBDX_DEFAULT_QUEUES);
	UBDX_DEFAULT(p->depth, UBDX_DEFAULT_DEPTH);
	UBDX_DEFAULT(p->max_io_bytes, UBDX_DEFAULT_IO_BYTES);
	UBDX_DEFAULT(p->timeout_ms, 30000);
	UBDX_DEFAULT(p->logical_block_size, SECTOR_SIZE);
	UBDX_DEFAULT(p->physical_block_size, max(4096U, p->logical_block_size));
	UBDX_DEFAULT(p->io_min, p->physical_block_size);
	UBDX_DEFAULT(p->discard_granularity, p->logical_block_size);
	UBDX_DEFAULT(p->dma_alignment, 3);
	UBDX_DEFAULT(p->max_segments, p->max_io_bytes / 4096 + 1);
	UBDX_DEFAULT(p->max_segment_size, UINT_MAX);
}

static bool ubdx_power_of_two_in(u32 value, u32 min, u32 max)
{
	return is_power_of_2(value) && value >= min && value <= max;
}

/* The block layer splits a DISCARD at multiples of the larger of these two. */
static u32 ubdx_min_discard_sectors(const struct ubdx_params *p)
{
	return max(p->discard_granularity, p->physical_block_size) >> SECTOR_SHIFT;
}

static int ubdx_params_check(const struct ubdx_params *p)
{
	u32 block_sectors = p->logical_block_size >> SECTOR_SHIFT;

	if (memchr_inv(p->reserved, 0, sizeof(p->reserved)))
		return -EINVAL;
	if (p->nr_queues > min(nr_cpu_ids, UBDX_MAX_QUEUES) || p->depth > UBDX_MAX_DEPTH)
		return -EINVAL;
	if (p->max_io_bytes < max(UBDX_MIN_IO_BYTES, PAGE_SIZE) ||
	    p->max_io_bytes > UBDX_MAX_IO_BYTES || p->max_io_bytes % UBDX_MIN_IO_BYTES)
		return -EINVAL;
	/* the limit keeps jiffies arithmetic in range, and no server keeps a request for ever */
	if (p->timeout_ms < 1000 || p->timeout_ms > UBDX_MAX_TIMEOUT_MS)
		return -EINVAL;
	if (!ubdx_power_of_two_in(p->logical_block_size, SECTOR_SIZE, 4096) ||
	    !ubdx_power_of_two_in(p->physical_block_size, p->logical_block_size, 1U << 20))
		return -EINVAL;
	if (p->io_min % p->logical_block_size || p->io_opt % p->logical_block_size)
		return -EINVAL;
	if (p->io_min > max(p->max_io_bytes, p->physical_block_size))
		return -EINVAL;
	if (!ubdx_power_of_two_in(p->discard_granularity, p->logical_block_size, 1U << 30))
		return -EINVAL;
	if (!is_power_of_2((u64)p->dma_alignment + 1) || p->dma_alignment > 4095)
		return -EINVAL;
	if (p->max_segments > USHRT_MAX || p->max_segment_size < PAGE_SIZE)
		return -EINVAL;
	if (p->max_write_zeroes_sectors % block_sectors || p->max_discard_sectors % block_sectors)
		return -EINVAL;
	if (p->max_discard_sectors && p->max_discard_sectors < ubdx_min_discard_sectors(p))
		return -EINVAL;
	if (!p->dev_sectors || p->dev_sectors % block_sectors ||
	    p->dev_sectors > (LLONG_MAX >> SECTOR_SHIFT))
		return -EINVAL;
	if (p->recovery >= UBDX_NR_RECOVERY || p->reserved0)
		return -EINVAL;
	/* The block layer sends FUA only to a device with a volatile cache. */
	if (p->attrs & ~UBDX_ATTR_ALL ||
	    ((p->attrs & UBDX_ATTR_FUA) && !(p->attrs & UBDX_ATTR_WRITE_CACHE)))
		return -EINVAL;
	if (p->numa_node < -1 ||
	    (p->numa_node >= 0 && (p->numa_node >= MAX_NUMNODES || !node_online(p->numa_node))))
		return -EINVAL;
	return 0;
}

/* ---- memory ---- */

/* The device's numa_node if it is set, else the node of the CPUs whose requests use this queue. */
static int ubdx_queue_node(struct ubdx_dev *dev, unsigned int qid)
{
	unsigned int cpu;

	if (dev->params.numa_node != NUMA_NO_NODE)
		return dev->params.numa_node;
	for_each_online_cpu(cpu)
		if (dev->tag_set.map[HCTX_TYPE_DEFAULT].mq_map[cpu] == qid)
			return cpu_to_node(cpu);
	return NUMA_NO_NODE;
}

static void ubdx_queue_free(struct ubdx_queue *q)
{
	if (!q)
		return;
	kvfree(q->stamps);
	ubdx_forward_exit_queue(q);
	kvfree(q);
}

static void ubdx_queues_free(struct ubdx_dev *dev)
{
	unsigned int i;

	for (i = 0; dev->queues && i < dev->params.nr_queues; i++)
		ubdx_queue_free(dev->queues[i]);
	kfree(dev->queues);
	free_percpu(dev->counts);
}

static int ubdx_queue_alloc(struct ubdx_dev *dev, unsigned int qid)
{
	unsigned int depth = dev->params.depth;
	int node = ubdx_queue_node(dev, qid);
	struct ubdx_queue *q;
	u16 tag;

	q = kvzalloc_node(struct_size(q, slots, depth), GFP_KERNEL_ACCOUNT, node);
	if (!q)
		return -ENOMEM;
	q->depth = depth;
	q->dev = dev;
	q->qid = qid;
	q->node = node;
	q->chan = dev->chan;
	q->counts = dev->counts;
	q->block_mask = dev->params.logical_block_size - 1;
	for (tag = 0; tag < depth; tag++)
		q->slots[tag].q = q;
	dev->queues[qid] = q;
	q->stamps = kvcalloc_node(depth, sizeof(*q->stamps), GFP_KERNEL_ACCOUNT, node);
	return q->stamps ? 0 : -ENOMEM;
}

/* On an error ubdx_queues_free() frees what has been allocated. */
static int ubdx_queues_alloc(struct ubdx_dev *dev)
{
	unsigned int i;
	int ret;

	dev->counts = alloc_percpu_gfp(struct ubdx_counts, GFP_KERNEL_ACCOUNT);
	dev->queues = kcalloc(dev->params.nr_queues, sizeof(*dev->queues), GFP_KERNEL_ACCOUNT);
	if (!dev->counts || !dev->queues)
		return -ENOMEM;
	for (i = 0; i < dev->params.nr_queues; i++) {
		ret = ubdx_queue_alloc(dev, i);
		if (ret)
			return ret;
	}
	return 0;
}

/*
 * The last reference is gone: the device is not in the table, has no disk, and no channel is open.
 */
static void ubdx_dev_release(struct device *device)
{
	struct ubdx_dev *dev = container_of(device, struct ubdx_dev, device);

	if (dev->tag_set.tags)
		blk_mq_free_tag_set(&dev->tag_set);
	ubdx_map_free(dev->map); /* its workers use the queues */
	ubdx_queues_free(dev);
	ubdx_dev_forget_former(dev);
	kfree(dev->target_info);
	mutex_destroy(&dev->lock);
	kfree(dev);
	if (atomic_dec_and_test(&ubdx_nr_unreleased))
		wake_up_var(&ubdx_nr_unreleased);
}

/* ---- ADD, START, the end of DEL ---- */

static int ubdx_dev_register(struct ubdx_dev *dev)
{
	int ret;

	ret = dev_set_name(&dev->device, "ubdxc%d", dev->id);
	if (ret)
		return ret;
	cdev_init(&dev->cdev, &ubdx_server_fops);
	dev->cdev.owner = THIS_MODULE;
	ret = cdev_device_add(&dev->cdev, &dev->device);
	if (ret)
		return ret;

	mutex_lock(&ubdx_devs_lock);
	idr_replace(&ubdx_devs, dev, dev->id);
	mutex_unlock(&ubdx_devs_lock);
	/* the module parameter may have been written before this device was in the table */
	ubdx_xfer_update(dev);
	return 0;
}

static struct ubdx_dev *ubdx_dev_alloc(int id, const struct ubdx_add *add)
{
	struct ubdx_dev *dev = kzalloc(sizeof(*dev), GFP_KERNEL_ACCOUNT);

	if (!dev)
		return NULL;
	/* From here on the device's release function frees all. */
	device_initialize(&dev->device);
	dev->device.class = &ubdx_chan_class;
	dev->device.devt = MKDEV(MAJOR(ubdx_chan_devt), id);
	dev->device.release = ubdx_dev_release;
	atomic_inc(&ubdx_nr_unreleased);
	mutex_init(&dev->lock);
	spin_lock_init(&dev->state_lock);
	ubdx_scan_init_dev(dev);
	ubdx_tick_init_dev(dev);
	INIT_WORK(&dev->close_work, ubdx_close_work);
	dev->id = id;
	dev->chan = ubdx_chan_find(add->features & ~UBDX_F_EXTENTS);
	dev->params = add->params;
	return dev;
}

/**
 * ubdx_dev_add - make a device and its channel node.
 * @add:	in and out, see struct ubdx_add.
 *
 * Returns the device with a reference that the caller must put, or ERR_PTR.
 */
struct ubdx_dev *ubdx_dev_add(struct ubdx_add *add)
{
	struct ubdx_dev *dev;
	int ret, id;

	if (add->version != UBDX_VERSION)
		return ERR_PTR(-EPROTO);
	if (!ubdx_chan_find(add->features & ~UBDX_F_EXTENTS))
		return ERR_PTR(-EOPNOTSUPP);
	if (add->reserved)
		return ERR_PTR(-EINVAL);
	ubdx_params_default(&add->params);
	ret = ubdx_params_check(&add->params);
	if (ret)
		return ERR_PTR(ret);

	id = ubdx_dev_reserve(add->id);
	if (id < 0)
		return ERR_PTR(id);
	ret = -ENOMEM;
	dev = ubdx_dev_alloc(id, add);
	if (!dev)
		goto unreserve;
	ret = ubdx_xfer_init_dev(dev, add->xfer_modes);
	if (ret)
		goto put;
	ret = -ENOMEM;
	if (add->features & UBDX_F_EXTENTS) {
		dev->map = ubdx_map_alloc(dev);
		if (!dev->map)
			goto put;
	}
	ret = ubdx_tag_set_init(dev);
	if (ret)
		goto put;
	/* when memory is short, blk-mq allocates fewer tags */
	dev->params.depth = dev->tag_set.queue_depth;
	ret = ubdx_queues_alloc(dev);
	if (ret)
		goto put;
	get_device(&dev->device);
	ret = ubdx_dev_register(dev);
	if (ret) {
		ubdx_dev_put(dev);
		goto put;
	}
	add->params = dev->params;
	add->id = id;
	return dev;

put:
	ubdx_dev_put(dev);
unreserve:
	ubdx_dev_unreserve(id);
	return ERR_PTR(ret);
}

static int ubdx_server_ready(struct ubdx_server *srv)
{
	unsigned int i;

	if (!srv)
		return -EPERM;
	if (srv->mm != current->mm)
		return -EPERM;
	if (READ_ONCE(srv->queues[0]->dead))
		return -ENXIO;
	for (i = 0; i < srv->nr_queues; i++)
		if (!srv->chan->ready(srv->queues[i]))
			return -EAGAIN;
	return 0;
}

void ubdx_set_srvq(struct ubdx_dev *dev, struct ubdx_server *srv)
{
	unsigned int i;

	for (i = 0; i < dev->params.nr_queues; i++) {
		if (srv)
			srv->queues[i]->started = jiffies;
		rcu_assign_pointer(dev->queues[i]->srvq, srv ? srv->queues[i] : NULL);
	}
}

void ubdx_set_state(struct ubdx_dev *dev, enum ubdx_state state, struct ubdx_server *srv,
		    struct gendisk *disk)
{
	lockdep_assert_held(&dev->lock);

	spin_lock(&dev->state_lock);
	dev->state = state;
	dev->srv = srv;
	dev->disk = disk;
	spin_unlock(&dev->state_lock);
}

static bool ubdx_dev_may_recover(const struct ubdx_dev *dev)
{
	return dev->params.recovery != UBDX_RECOVERY_FAIL;
}

static int ubdx_disk_add(struct ubdx_dev *dev, struct gendisk *disk,
			 const struct attribute_group **groups)
{
	int ret;

	disk->private_data = dev;
	set_capacity(disk, dev->params.dev_sectors);
	set_disk_ro(disk, dev->params.attrs & UBDX_ATTR_READ_ONLY);
	/*
	 * The partition scan reads through the server, so START must not wait for it: scan.c scans
	 * after START.
	 */
	set_bit(GD_SUPPRESS_PART_SCAN, &disk->state);
	/* the disk's reference; if adding the disk fails, put_disk() doesn't drop it */
	get_device(&dev->device);
	ret = device_add_disk(&dev->device, disk, groups);
	if (ret) {
		put_disk(disk);
		ubdx_dev_put(dev);
	}
	return ret;
}

/* Called before the hidden disk gets requests, and after its last request. */
static void ubdx_set_front(struct ubdx_dev *dev, struct gendisk *front)
{
	unsigned int i;

	for (i = 0; i < dev->params.nr_queues; i++)
		dev->queues[i]->front = front;
}

/* With UBDX_F_EXTENTS: hide the blk-mq disk, and make a visible disk in front of it. */
static int ubdx_dev_add_front(struct ubdx_dev *dev, struct gendisk *back, struct gendisk **out)
{
	int ret;

	snprintf(back->disk_name, DISK_NAME_LEN, "ubdxh%d", dev->id);
	back->flags |= GENHD_FL_HIDDEN;
	ret = ubdx_disk_add(dev, back, NULL);
	if (ret)
		return ret;
	dev->back = back;
	*out = ubdx_front_alloc(dev);
	ret = PTR_ERR_OR_ZERO(*out);
	if (ret) {
		ubdx_dev_del_back(dev);
		put_disk(back);
		dev->back = NULL;
	} else {
		ubdx_set_front(dev, *out);
	}
	return ret;
}

/*
 * Remove the hidden disk, if there is one. Waits for its requests. If the visible disk was added,
 * the hidden disk is freed with it, see ubdx_front_free().
 */
void ubdx_dev_del_back(struct ubdx_dev *dev)
{
	if (!dev->back)
		return;
	del_gendisk(dev->back);
	ubdx_set_front(dev, NULL);
}

static int ubdx_dev_add_disks(struct ubdx_dev *dev, struct gendisk **out)
{
	struct gendisk *disk = ubdx_disk_alloc(dev);
	int ret = 0;

	if (IS_ERR(disk))
		return PTR_ERR(disk);
	dev->queue = disk->queue;
	if (dev->map)
		ret = ubdx_dev_add_front(dev, disk, &disk);
	if (ret)
		return ret;
	snprintf(disk->disk_name, DISK_NAME_LEN, "ubdxb%d", dev->id);
	ret = ubdx_disk_add(dev, disk, ubdx_disk_groups);
	if (ret && dev->back) {
		ubdx_dev_del_back(dev);
		put_disk(dev->back);
		dev->back = NULL;
	}
	*out = disk;
	return ret;
}

/**
 * ubdx_dev_create_disk - make the block device.
 * @dev:	device.
 *
 * If the server dies meanwhile, the disk appears without a server: requests fail, or wait if the
 * device recovers. ubdx_dev_server_gone() waits for dev->lock. Then it removes the disk, or makes
 * the device QUIESCED.
 */
static int ubdx_dev_create_disk(struct ubdx_dev *dev)
{
	struct gendisk *disk;
	int ret;

	/* before the disk is visible and gets requests */
	ubdx_set_srvq(dev, dev->srv);
	WRITE_ONCE(dev->recovers, ubdx_dev_may_recover(dev));
	ret = ubdx_dev_add_disks(dev, &disk);
	if (ret) {
		WRITE_ONCE(dev->recovers, false);
		ubdx_set_srvq(dev, NULL);
		return ret;
	}
	/* the tick uses dev->queue, which a failure would have freed */
	ubdx_tick_start(dev);
	ubdx_set_state(dev, UBDX_S_LIVE, dev->srv, disk);
	ubdx_scan_start(dev);
	return 0;
}

/*
 * May the caller START? -ETIME: not yet, because a failed server hasn't exited, or because requests
 * that it has forwarded or bios in its extents haven't ended. ubdx_dev_has_former() is called
 * first: until the failed server has exited, its task can still forward a request that the task has
 * claimed.
 */
static int ubdx_dev_may_start(struct ubdx_dev *dev, u64 xfer_modes)
{
	int ret;

	lockdep_assert_held(&dev->lock);

	if (dev->state == UBDX_S_LIVE)
		return -EBUSY;
	if (dev->state == UBDX_S_DEAD)
		return -ENODEV;
	/* dev->srv can change without dev->lock, but only from NULL */
	ret = ubdx_server_ready(READ_ONCE(dev->srv));
	if (ret)
		return ret;
	if (xfer_modes && dev->state != UBDX_S_QUIESCED)
		return -EINVAL;
	WRITE_ONCE(dev->srv->busy, jiffies);
	return ubdx_dev_has_former(dev) || ubdx_dev_forwards(dev) || ubdx_map_is_busy(dev->map) ?
		       -ETIME :
		       0;
}

static int ubdx_dev_try_start(struct ubdx_dev *dev, u64 xfer_modes)
{
	u64 offered;
	int ret;

	ret = mutex_lock_killable(&dev->lock);
	if (ret)
		return ret;
	offered = dev->xfer_offered;
	ret = ubdx_dev_may_start(dev, xfer_modes);
	if (!ret)
		ret = ubdx_xfer_offer(dev, xfer_modes, dev->srv->trusted);
	if (!ret) {
		bool said = READ_ONCE(dev->srv->target_info);

		if (said)
			ubdx_target_info_swap(dev, dev->srv);
		ret = dev->disk ? ubdx_dev_resume(dev) : ubdx_dev_create_disk(dev);
		if (ret) {
			if (said)
				ubdx_target_info_swap(dev, dev->srv);
			/* a server that failed to start must not narrow the device's modes */
			ubdx_xfer_offer(dev, offered, true);
		}
	}
	mutex_unlock(&dev->lock);
	return ret;
}

/* How long START waits for the end of a failed server and of its I/O. */
#define UBDX_FORMER_WAIT (10 * HZ)

/**
 * ubdx_dev_start - the caller, a server that has fetched every tag, starts to serve.
 * @dev:	device.
 * @xfer_modes:	if QUIESCED: the modes that the server offers, or 0.
 *
 * Returns 0 or an error, see UBDX_IOC_START.
 */
int ubdx_dev_start(struct ubdx_dev *dev, u64 xfer_modes)
{
	unsigned long end = jiffies + UBDX_FORMER_WAIT;
	int ret;

	for (;;) {
		ret = ubdx_dev_try_start(dev, xfer_modes);
		if (ret != -ETIME || time_after(jiffies, end))
			return ret;
		if (fatal_signal_pending(current))
			return -EINTR;
		msleep(20);
	}
}

/**
 * ubdx_dev_forget - the end of DEL: remove the channel's node, and free the number.
 * @dev:	device, which the caller has removed from the table (ubdx_dev_unlist()).
 */
void ubdx_dev_forget(struct ubdx_dev *dev)
{
	cdev_device_del(&dev->cdev, &dev->device);
	ubdx_dev_unreserve(dev->id);
	ubdx_dev_put(dev);
}

/* ---- module ---- */

int __init ubdx_dev_init(void)
{
	int ret;

	ubdx_wq = alloc_workqueue("ubdx", WQ_UNBOUND | WQ_MEM_RECLAIM, 0);
	if (!ubdx_wq)
		return -ENOMEM;
	ret = -ENOMEM;
	ubdx_io_wq = alloc_workqueue("ubdx-io", WQ_UNBOUND | WQ_MEM_RECLAIM, 0);
	if (!ubdx_io_wq)
		goto destroy_wq;
	ubdx_detach_wq = alloc_workqueue("ubdx-detach", WQ_UNBOUND, 0);
	if (!ubdx_detach_wq)
		goto destroy_io_wq;
	ret = ubdx_tick_init();
	if (ret)
		goto destroy_detach_wq;
	ret = class_register(&ubdx_chan_class);
	if (ret)
		goto exit_tick;
	ret = alloc_chrdev_region(&ubdx_chan_devt, 0, UBDX_MINORS, "ubdx-chan");
	if (ret)
		goto unregister_class;
	return 0;

unregister_class:
	class_unregister(&ubdx_chan_class);
exit_tick:
	ubdx_tick_exit();
destroy_detach_wq:
	destroy_workqueue(ubdx_detach_wq);
destroy_io_wq:
	destroy_workqueue(ubdx_io_wq);
destroy_wq:
	destroy_workqueue(ubdx_wq);
	return ret;
}

/* No channel and no disk is open: each would hold the module. No device can be added any more. */
void ubdx_dev_exit(void)
{
	struct ubdx_dev *dev;

	while ((dev = ubdx_dev_get(0, true))) {
		ubdx_dev_stop(dev, &(struct ubdx_stop){ UBDX_CTL_FORCE, .del = true });
		ubdx_dev_put(dev);
	}
	flush_workqueue(ubdx_wq);
	wait_var_event(&ubdx_nr_unreleased, !atomic_read(&ubdx_nr_unreleased));
	ubdx_tick_exit();
	destroy_workqueue(ubdx_io_wq);
	destroy_workqueue(ubdx_detach_wq);
	destroy_workqueue(ubdx_wq);
	unregister_chrdev_region(ubdx_chan_devt, UBDX_MINORS);
	class_unregister(&ubdx_chan_class);
	idr_destroy(&ubdx_devs);
}
