// SPDX-License-Identifier: GPL-2.0
/*
 * ctl.c - the ioctls. /dev/ubdx-control has those that add, start, stop, delete, list and configure
 * devices. A channel has those by which a server stops and deletes its own device, registers files
 * (backing.c), and leaves extents with the driver and revokes them (extents.c). Each ioctl copies
 * its input once, checks that reserved input fields are zero, and works on the copy. If the control
 * node is open for reading only, just FEATURES, INFO and GET_TARGET_INFO are allowed; the other
 * ioctls need a descriptor that is open for writing. The node's mode is 0600 unless the
 * administrator changes it.
 */
#include <linux/blkdev.h>
#include <linux/compat.h>
#include <linux/fs.h>
#include <linux/miscdevice.h>
#include <linux/module.h>
#include <linux/pid.h>
#include <linux/slab.h>
#include <linux/string.h>
#include <linux/uaccess.h>

#include "extents.h"
#include "chan.h"
#include "xfer.h"

static long ubdx_ctl_features(void __user *arg)
{
	struct ubdx_features out = {
		.version = UBDX_VERSION,
		.max_queues = min(nr_cpu_ids, UBDX_MAX_QUEUES),
		.max_depth = UBDX_MAX_DEPTH,
		.max_io_bytes = UBDX_MAX_IO_BYTES,
		.max_devices = READ_ONCE(ubdx_max_devices),
		.nr_devices = ubdx_dev_count(),
		.xfer_modes = ubdx_xfer_supported(),
		.features = ubdx_chan_features() | UBDX_F_EXTENTS,
	};

	return copy_to_user(arg, &out, sizeof(out)) ? -EFAULT : 0;
}

static long ubdx_ctl_add(void __user *arg)
{
	struct ubdx_add add;
	struct ubdx_dev *dev;
	int ret = 0;

	if (copy_from_user(&add, arg, sizeof(add)))
		return -EFAULT;
	dev = ubdx_dev_add(&add);
	if (IS_ERR(dev))
		return PTR_ERR(dev);
	if (copy_to_user(arg, &add, sizeof(add))) {
		/* the caller can't learn the number */
		ubdx_dev_stop(dev, &(struct ubdx_stop){ UBDX_CTL_FORCE, .del = true });
		ret = -EFAULT;
	}
	ubdx_dev_put(dev);
	return ret;
}

static bool ubdx_is_stop(unsigned int cmd)
{
	return cmd == UBDX_IOC_STOP || cmd == UBDX_IOC_DEL;
}

/* Translate the argument of STOP or DEL to @how. */
static int ubdx_stop_parse(unsigned int cmd, const struct ubdx_ctl *ctl, struct ubdx_stop *how)
{
	u32 known = UBDX_CTL_FORCE | UBDX_CTL_IN_USE;

	if (cmd == UBDX_IOC_DEL)
		known |= UBDX_CTL_LAST_CLOSE;
	if (ctl->flags & ~known || hweight32(ctl->flags) > 1)
		return -EINVAL;
	if (ctl->timeout_ms && ctl->flags != UBDX_CTL_IN_USE)
		return -EINVAL;
	*how = (struct ubdx_stop){
		.flags = ctl->flags,
		.timeout_ms = min(ctl->timeout_ms, (u64)UBDX_MAX_TIMEOUT_MS),
		.del = cmd == UBDX_IOC_DEL,
	};
	return 0;
}

static long ubdx_ctl_dev(unsigned int cmd, void __user *arg)
{
	struct ubdx_stop how;
	struct ubdx_ctl ctl;
	struct ubdx_dev *dev;
	int ret = 0;

	if (copy_from_user(&ctl, arg, sizeof(ctl)))
		return -EFAULT;
	if (ubdx_is_stop(cmd))
		ret = ubdx_stop_parse(cmd, &ctl, &how);
	else if (ctl.flags || (ctl.xfer_modes && cmd != UBDX_IOC_START))
		ret = -EINVAL;
	if (ret)
		return ret;
	dev = ubdx_dev_get(ctl.id, false);
	if (!dev)
		return -ENODEV;
	switch (cmd) {
	case UBDX_IOC_START:
		ret = ubdx_dev_start(dev, ctl.xfer_modes);
		break;
	case UBDX_IOC_QUIESCE:
		ret = ubdx_dev_quiesce(dev);
		break;
	default:
		ret = ubdx_dev_stop(dev, &how);
		break;
	}
	ubdx_dev_put(dev);
	return ret;
}

static int ubdx_chan_set_file(struct ubdx_server *srv, const void __user *argp)
{
	struct ubdx_file arg;

	if (copy_from_user(&arg, argp, sizeof(arg)))
		return -EFAULT;
	return ubdx_backing_set(srv, &arg);
}

static int ubdx_chan_map(struct ubdx_server *srv, const void __user *argp)
{
	struct ubdx_map_args arg;

	if (copy_from_user(&arg, argp, sizeof(arg)))
		return -EFAULT;
	return ubdx_map_set(srv, &arg);
}

static int ubdx_chan_revoke(struct ubdx_server *srv, const void __user *argp)
{
	struct ubdx_revoke arg;

	if (copy_from_user(&arg, argp, sizeof(arg)))
		return -EFAULT;
	return ubdx_map_revoke(srv, &arg);
}

/* The ioctls of a channel. They can concern only the channel's own device. */
long ubdx_chan_ioctl(struct file *file, unsigned int cmd, unsigned long argp)
{
	struct ubdx_server *srv = file->private_data;
	struct ubdx_stop how;
	struct ubdx_ctl ctl;
	int ret;

	if (current->mm != srv->mm)
		return -EPERM;
	switch (cmd) {
	case UBDX_IOC_SET_FILE:
		return ubdx_chan_set_file(srv, (void __user *)argp);
	case UBDX_IOC_MAP:
		return ubdx_chan_map(srv, (void __user *)argp);
	case UBDX_IOC_REVOKE:
		return ubdx_chan_revoke(srv, (void __user *)argp);
	}
	if (!ubdx_is_stop(cmd))
		return -ENOTTY;
	if (copy_from_user(&ctl, (void __user *)argp, sizeof(ctl)))
		return -EFAULT;
	ret = ubdx_stop_parse(cmd, &ctl, &how);
	if (ret)
		return ret;
	return ctl.id == srv->dev->id ? ubdx_server_stop(srv, &how) : -EINVAL;
}

static void ubdx_info_fill(struct ubdx_dev *dev, struct ubdx_info *info)
{
	*info = (struct ubdx_info){
		.id = dev->id,
		.params = dev->params,
	};

	spin_lock(&dev->state_lock);
	info->state = dev->state;
	if (dev->map)
		info->status |= UBDX_INFO_EXTENTS;
	if (dev->srv)
		info->server_pid = pid_vnr(dev->srv->tgid);
	if (dev->disk) {
		info->disk_major = MAJOR(disk_devt(dev->disk));
		info->disk_minor = MINOR(disk_devt(dev->disk));
		if (READ_ONCE(dev->stopping) || READ_ONCE(dev->closing))
			info->status |= UBDX_INFO_STOPPING;
		if (READ_ONCE(dev->scanning))
			info->status |= UBDX_INFO_SCANNING;
	}
	spin_unlock(&dev->state_lock);

	spin_lock(&dev->xfer_lock);
	info->xfer = dev->xfer->mode;
	info->xfer_pinned = dev->xfer_pinned;
	info->xfer_wanted = dev->xfer_wanted;
	info->xfer_modes = dev->xfer_offered;
	spin_unlock(&dev->xfer_lock);
}

static long ubdx_ctl_info(void __user *arg)
{
	struct ubdx_info info;
	struct ubdx_dev *dev;

	if (copy_from_user(&info, arg, sizeof(info)))
		return -EFAULT;
	if (info.flags & ~UBDX_INFO_NEXT || memchr_inv(info.reserved, 0, sizeof(info.reserved)))
		return -EINVAL;
	dev = ubdx_dev_get(info.id, info.flags & UBDX_INFO_NEXT);
	if (!dev)
		return -ENODEV;
	ubdx_info_fill(dev, &info);
	ubdx_dev_put(dev);
	return copy_to_user(arg, &info, sizeof(info)) ? -EFAULT : 0;
}

static long ubdx_ctl_set(void __user *arg)
{
	struct ubdx_set set;
	struct ubdx_dev *dev;
	int ret = 0;

	if (copy_from_user(&set, arg, sizeof(set)))
		return -EFAULT;
	if (set.reserved)
		return -EINVAL;
	dev = ubdx_dev_get(set.id, false);
	if (!dev)
		return -ENODEV;
	if (set.xfer == UBDX_SET_XFER_DEFAULT)
		ubdx_xfer_unpin(dev);
	else
		ret = ubdx_xfer_pin(dev, set.xfer);
	ubdx_dev_put(dev);
	return ret;
}

static long ubdx_ctl_set_target_info(void __user *arg)
{
	struct ubdx_target_info *target_info = memdup_user(arg, sizeof(*target_info));
	struct ubdx_dev *dev;
	int ret;

	if (IS_ERR(target_info))
		return PTR_ERR(target_info);
	dev = ubdx_dev_get(target_info->id, false);
	if (!dev) {
		kfree(target_info);
		return -ENODEV;
	}
	ret = ubdx_target_info_set(dev, target_info);
	ubdx_dev_put(dev);
	return ret;
}

static long ubdx_ctl_get_target_info(void __user *arg)
{
	struct ubdx_target_info target_info;
	struct ubdx_dev *dev;
	s32 id;

	if (get_user(id, &((struct ubdx_target_info __user *)arg)->id))
		return -EFAULT;
	dev = ubdx_dev_get(id, false);
	if (!dev)
		return -ENODEV;
	ubdx_target_info_get(dev, &target_info);
	ubdx_dev_put(dev);
	return copy_to_user(arg, &target_info, sizeof(target_info)) ? -EFAULT : 0;
}

static long ubdx_ctl_ioctl(struct file *file, unsigned int cmd, unsigned long argp)
{
	void __user *arg = (void __user *)argp;

	switch (cmd) {
	case UBDX_IOC_FEATURES:
		return ubdx_ctl_features(arg);
	case UBDX_IOC_INFO:
		return ubdx_ctl_info(arg);
	case UBDX_IOC_GET_TARGET_INFO:
		return ubdx_ctl_get_target_info(arg);
	}
	if (!(file->f_mode & FMODE_WRITE))
		return -EACCES;

	switch (cmd) {
	case UBDX_IOC_ADD:
		return ubdx_ctl_add(arg);
	case UBDX_IOC_START:
	case UBDX_IOC_STOP:
	case UBDX_IOC_DEL:
	case UBDX_IOC_QUIESCE:
		return ubdx_ctl_dev(cmd, arg);
	case UBDX_IOC_SET:
		return ubdx_ctl_set(arg);
	case UBDX_IOC_SET_TARGET_INFO:
		return ubdx_ctl_set_target_info(arg);
	default:
		return -ENOTTY;
	}
}

static const struct file_operations ubdx_ctl_fops = {
	.owner = THIS_MODULE,
	.unlocked_ioctl = ubdx_ctl_ioctl,
	.compat_ioctl = compat_ptr_ioctl,
	.llseek = noop_llseek,
};

static struct miscdevice ubdx_ctl_misc = {
	.minor = MISC_DYNAMIC_MINOR,
	.name = UBDX_CONTROL_NAME,
	.fops = &ubdx_ctl_fops,
	.mode = 0600,
};

int __init ubdx_ctl_init(void)
{
	return misc_register(&ubdx_ctl_misc);
}

void ubdx_ctl_exit(void)
{
	misc_deregister(&ubdx_ctl_misc);
}
