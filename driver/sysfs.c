// SPDX-License-Identifier: GPL-2.0
/*
 * sysfs.c - the files in /sys/block/ubdxbN/ubdx/, and `serial`. Their functions don't take
 * dev->lock: STOP holds it while del_gendisk() waits for the readers of these files.
 */
#include <linux/blkdev.h>
#include <linux/device.h>
#include <linux/pid.h>

#include "extents.h"

static struct ubdx_dev *to_ubdx(struct device *device)
{
	return dev_to_disk(device)->private_data;
}

static void ubdx_counts_sum(struct ubdx_dev *dev, struct ubdx_counts *sum)
{
	u64 *to = (u64 *)sum;
	unsigned int i;
	int cpu;

	memset(sum, 0, sizeof(*sum));
	for_each_possible_cpu(cpu) {
		const u64 *from = (const u64 *)per_cpu_ptr(dev->counts, cpu);

		for (i = 0; i < sizeof(*sum) / sizeof(*to); i++)
			to[i] += READ_ONCE(from[i]);
	}
}

/*
 * "live" or "quiesced"; or "dead", while the disk of a failed server is being removed. A device
 * that recovers is "quiesced" only when another server can open the channel: a script that reads
 * this word can start a server at once.
 */
static ssize_t state_show(struct device *device, struct device_attribute *attr, char *buf)
{
	struct ubdx_dev *dev = to_ubdx(device);
	struct ubdx_server_queue *srvq;
	bool live, quiesced;

	spin_lock(&dev->state_lock);
	quiesced = dev->state == UBDX_S_QUIESCED;
	spin_unlock(&dev->state_lock);
	rcu_read_lock();
	srvq = rcu_dereference(dev->queues[0]->srvq);
	live = srvq && !READ_ONCE(srvq->dead);
	rcu_read_unlock();
	if (!live && READ_ONCE(dev->recovers))
		return sysfs_emit(buf, "%s\n", quiesced ? "quiesced" : "live");
	return sysfs_emit(buf, "%s\n", live ? "live" : "dead");
}
static DEVICE_ATTR_RO(state);

/* 1: the device will be deleted at its last close, or is being removed. */
static ssize_t stopping_show(struct device *device, struct device_attribute *attr, char *buf)
{
	struct ubdx_dev *dev = to_ubdx(device);

	return sysfs_emit(buf, "%d\n", READ_ONCE(dev->stopping) || READ_ONCE(dev->closing));
}
static DEVICE_ATTR_RO(stopping);

static ssize_t server_pid_show(struct device *device, struct device_attribute *attr, char *buf)
{
	struct ubdx_server_queue *srvq;
	pid_t pid;

	rcu_read_lock();
	srvq = rcu_dereference(to_ubdx(device)->queues[0]->srvq);
	pid = srvq ? pid_vnr(srvq->srv->tgid) : 0;
	rcu_read_unlock();
	return sysfs_emit(buf, "%d\n", pid);
}
static DEVICE_ATTR_RO(server_pid);

static ssize_t xfer_show(struct device *device, struct device_attribute *attr, char *buf)
{
	return ubdx_xfer_list(buf, READ_ONCE(to_ubdx(device)->xfer)->mode);
}

/* A mode's name pins the device to that mode; "default": follow the module parameter again. */
static ssize_t xfer_store(struct device *device, struct device_attribute *attr, const char *buf,
			  size_t count)
{
	struct ubdx_dev *dev = to_ubdx(device);
	int ret;

	if (sysfs_streq(buf, "default")) {
		ubdx_xfer_unpin(dev);
		return count;
	}
	ret = ubdx_xfer_parse(buf);
	if (ret < 0)
		return ret;
	ret = ubdx_xfer_pin(dev, ret);
	return ret ?: count;
}
static DEVICE_ATTR_RW(xfer);

static ssize_t xfer_wanted_show(struct device *device, struct device_attribute *attr, char *buf)
{
	struct ubdx_dev *dev = to_ubdx(device);
	u32 wanted;
	bool pinned;

	spin_lock(&dev->xfer_lock);
	wanted = dev->xfer_wanted;
	pinned = dev->xfer_pinned;
	spin_unlock(&dev->xfer_lock);
	return sysfs_emit(buf, "%s%s\n", ubdx_xfer_name(wanted), pinned ? " (pinned)" : "");
}
static DEVICE_ATTR_RO(xfer_wanted);

/* Requests that were served, one line per mode and operation: mode op requests bytes */
static ssize_t counters_show(struct device *device, struct device_attribute *attr, char *buf)
{
	static const char *const op_names[UBDX_NR_OPS] = { "read", "write", "flush", "discard",
							   "write_zeroes" };
	const struct ubdx_counter *done;
	struct ubdx_counts sum;
	unsigned int mode, op;
	ssize_t len = 0;

	ubdx_counts_sum(to_ubdx(device), &sum);
	for (mode = 0; mode < UBDX_NR_XFER; mode++) {
		for (op = 0; op < UBDX_NR_OPS && ubdx_xfer_name(mode); op++) {
			done = &sum.done[mode][op];
			len += sysfs_emit_at(buf, len, "%s %s %llu %llu\n", ubdx_xfer_name(mode),
					     op_names[op], done->requests, done->bytes);
		}
	}
	return len;
}
static DEVICE_ATTR_RO(counters);

/*
 * failed: requests that ended with an error of the server or the driver; aborted: requests that
 * ended because the server was gone; stale: refused commits of the present server; reissued:
 * requests requeued for the next server; retried: requests requeued because memory was short.
 */
static ssize_t errors_show(struct device *device, struct device_attribute *attr, char *buf)
{
	struct ubdx_dev *dev = to_ubdx(device);
	struct ubdx_server_queue *srvq;
	struct ubdx_counts sum;
	unsigned int i;
	u64 stale = 0;

	ubdx_counts_sum(dev, &sum);
	rcu_read_lock();
	for (i = 0; i < dev->params.nr_queues; i++) {
		srvq = rcu_dereference(dev->queues[i]->srvq);
		stale += srvq ? atomic64_read(&srvq->stale) : 0;
	}
	rcu_read_unlock();
	return sysfs_emit(buf,
			  "failed %llu\naborted %llu\nstale %llu\nreissued %llu\nretried %llu\n",
			  sum.failed, sum.aborted, stale, sum.reissued, sum.retried);
}
static DEVICE_ATTR_RO(errors);

/*
 * The description that the server gave, see struct ubdx_target_info; anything unprintable is
 * escaped.
 */
static ssize_t target_show(struct device *device, struct device_attribute *attr, char *buf)
{
	struct ubdx_target_info target_info;

	ubdx_target_info_get(to_ubdx(device), &target_info);
	return sysfs_emit(buf, "%s%s%*pE\n", target_info.target, target_info.text[0] ? " " : "",
			  (int)strlen(target_info.text), target_info.text);
}
static DEVICE_ATTR_RO(target);

/* Requests that the device's mode couldn't carry, one line per reason: reason requests */
static ssize_t fallbacks_show(struct device *device, struct device_attribute *attr, char *buf)
{
	enum ubdx_fallback reason;
	struct ubdx_counts sum;
	ssize_t len = 0;

	ubdx_counts_sum(to_ubdx(device), &sum);
	for (reason = UBDX_FALLBACK_NONE + 1; reason < UBDX_NR_FALLBACKS; reason++)
		len += sysfs_emit_at(buf, len, "%s %llu\n", ubdx_fallback_name(reason),
				     sum.fallbacks[reason]);
	return len;
}
static DEVICE_ATTR_RO(fallbacks);

/* How payloads were moved, other than by mode copy: see enum ubdx_moved */
static ssize_t moved_show(struct device *device, struct device_attribute *attr, char *buf)
{
	static const char *const names[UBDX_NR_MOVED] = {
		[UBDX_MOVED_COPIED] = "copied_bytes", [UBDX_MOVED_SPLICED] = "spliced_bytes",
		[UBDX_MOVED_MAPPED] = "mapped_pages", [UBDX_MOVED_FAULTS] = "faults",
		[UBDX_MOVED_ZAPS] = "zaps",
	};
	struct ubdx_counts sum;
	unsigned int what;
	ssize_t len = 0;

	ubdx_counts_sum(to_ubdx(device), &sum);
	for (what = 0; what < UBDX_NR_MOVED; what++)
		len += sysfs_emit_at(buf, len, "%s %llu\n", names[what], sum.moved[what]);
	return len;
}
static DEVICE_ATTR_RO(moved);

/* The present server's registered files, a line each, see ubdx_backing_describe(). */
static ssize_t files_show(struct device *device, struct device_attribute *attr, char *buf)
{
	struct ubdx_server_queue *srvq;
	char line[UBDX_BACKING_LINE];
	ssize_t len = 0;
	u32 i;

	rcu_read_lock();
	srvq = rcu_dereference(to_ubdx(device)->queues[0]->srvq);
	for (i = 0; srvq && i < UBDX_MAX_FILES; i++)
		if (ubdx_backing_describe(srvq->srv, i, line, sizeof(line)))
			len += sysfs_emit_at(buf, len, "%s\n", line);
	rcu_read_unlock();
	return len;
}
static DEVICE_ATTR_RO(files);

static ssize_t serial_show(struct device *device, struct device_attribute *attr, char *buf)
{
	struct ubdx_target_info target_info;

	ubdx_target_info_get(to_ubdx(device), &target_info);
	return sysfs_emit(buf, "%s\n", target_info.serial);
}
static DEVICE_ATTR_RO(serial);

/* How many extents there are, and how many bios the front disk has handled in each way, see front.c */
static ssize_t extents_show(struct device *device, struct device_attribute *attr, char *buf)
{
	struct ubdx_dev *dev = to_ubdx(device);
	struct ubdx_counts sum;
	u64 kept, dropped;

	ubdx_counts_sum(dev, &sum);
	ubdx_keep_counts(dev->map, &kept, &dropped);
	return sysfs_emit(buf,
			  "extents %u\nread_hits %llu\nread_misses %llu\nwrite_hits %llu\n"
			  "write_misses %llu\nread_punted %llu\nwrite_punted %llu\nstale %llu\n"
			  "invalid %llu\ncircles %llu\nkept %llu\ndropped %llu\n",
			  ubdx_map_count(dev->map), sum.hits[0], sum.misses[0], sum.hits[1],
			  sum.misses[1], sum.punted[0], sum.punted[1], sum.stale, sum.invalid,
			  sum.circles, kept, dropped);
}
static DEVICE_ATTR_RO(extents);

/* "none" and the loaded resolvers; the device's is in brackets. */
static ssize_t resolver_show(struct device *device, struct device_attribute *attr, char *buf)
{
	return ubdx_resolver_show(to_ubdx(device), buf);
}

/* A resolver's name, or "none". */
static ssize_t resolver_store(struct device *device, struct device_attribute *attr, const char *buf,
			      size_t count)
{
	return ubdx_resolver_attach(to_ubdx(device), buf) ?: count;
}
static DEVICE_ATTR_RW(resolver);

/* ---- queues ---- */

/*
 * `queues` is a binary attribute with lines of one length: thousands of lines don't fit into a text
 * attribute.
 */

#define UBDX_QUEUE_LINE 40 /* "queue 8191 node 1023 task 2147483647\n" */

/* The queue's number, the node of its memory, the task that serves it. Padded with blanks. */
static void ubdx_queue_line(const struct ubdx_queue *q, char *line)
{
	struct ubdx_server_queue *srvq;
	int len;

	rcu_read_lock();
	srvq = rcu_dereference(q->srvq);
	len = scnprintf(line, UBDX_QUEUE_LINE, "queue %u node %d task %d", q->qid,
			srvq ? page_to_nid(virt_to_page(srvq->desc)) : q->node,
			srvq ? task_pid_vnr(srvq->task) : 0);
	rcu_read_unlock();
	memset(line + len, ' ', UBDX_QUEUE_LINE - 1 - len);
	line[UBDX_QUEUE_LINE - 1] = '\n';
}

static ssize_t queues_read(struct file *file, struct kobject *kobj, ubdx_bin_attribute *attr,
			   char *buf, loff_t pos, size_t count)
{
	struct ubdx_dev *dev = to_ubdx(kobj_to_dev(kobj));
	char line[UBDX_QUEUE_LINE];
	size_t done = 0;

	while (done < count) {
		u64 qid = div_u64(pos + done, UBDX_QUEUE_LINE);
		size_t skip = pos + done - qid * UBDX_QUEUE_LINE;
		size_t bytes = min(count - done, UBDX_QUEUE_LINE - skip);

		if (qid >= dev->params.nr_queues)
			break;
		ubdx_queue_line(dev->queues[qid], line);
		memcpy(buf + done, line + skip, bytes);
		done += bytes;
	}
	return done;
}
static BIN_ATTR_RO(queues, 0);

/* ---- groups ---- */

static struct attribute *ubdx_disk_attrs[] = { &dev_attr_state.attr,	   &dev_attr_stopping.attr,
					       &dev_attr_server_pid.attr,  &dev_attr_xfer.attr,
					       &dev_attr_xfer_wanted.attr, &dev_attr_counters.attr,
					       &dev_attr_errors.attr,	   &dev_attr_fallbacks.attr,
					       &dev_attr_moved.attr,	   &dev_attr_target.attr,
					       &dev_attr_files.attr,	   &dev_attr_extents.attr,
					       &dev_attr_resolver.attr,	   NULL };

static ubdx_bin_attribute *ubdx_disk_bin_attrs[] = { &bin_attr_queues, NULL };

static umode_t ubdx_disk_is_visible(struct kobject *kobj, struct attribute *attr, int index)
{
	if (attr != &dev_attr_extents.attr && attr != &dev_attr_resolver.attr)
		return attr->mode;
	return to_ubdx(kobj_to_dev(kobj))->map ? attr->mode : 0;
}

static const struct attribute_group ubdx_disk_group = {
	.name = "ubdx",
	.is_visible = ubdx_disk_is_visible,
	.attrs = ubdx_disk_attrs,
	.bin_attrs = ubdx_disk_bin_attrs,
};

/* `serial` is in the disk's own directory, where udev's rules look for it. */
static struct attribute *ubdx_serial_attrs[] = { &dev_attr_serial.attr, NULL };

static umode_t ubdx_serial_is_visible(struct kobject *kobj, struct attribute *attr, int index)
{
	struct ubdx_target_info target_info;

	ubdx_target_info_get(to_ubdx(kobj_to_dev(kobj)), &target_info);
	return target_info.serial[0] ? attr->mode : 0;
}

static const struct attribute_group ubdx_serial_group = {
	.attrs = ubdx_serial_attrs,
	.is_visible = ubdx_serial_is_visible,
};

const struct attribute_group *ubdx_disk_groups[] = { &ubdx_disk_group, &ubdx_serial_group, NULL };
