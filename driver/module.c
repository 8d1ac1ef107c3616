// SPDX-License-Identifier: GPL-2.0
/*
 * module.c - module parameters, and bringing the parts up and down.
 */
#include <linux/cpumask.h>
#include <linux/module.h>
#include <linux/moduleparam.h>
#include <linux/sysfs.h>

#include "xfer.h"

unsigned int ubdx_default_queues = 1;
unsigned int ubdx_default_depth = 128;
unsigned int ubdx_default_max_io = 512 << 10;
unsigned int ubdx_max_devices = 64;
unsigned int ubdx_map_when = UBDX_MAP_FAULT;
bool ubdx_allow_partial_pages;

static int ubdx_param_uint(const char *value, const struct kernel_param *kp, unsigned int min,
			   unsigned int max, unsigned int multiple)
{
	unsigned int n;
	int ret = kstrtouint(value, 0, &n);

	if (ret)
		return ret;
	if (n < min || n > max || n % multiple)
		return -EINVAL;
	WRITE_ONCE(*(unsigned int *)kp->arg, n);
	return 0;
}

/* clang-format off */
#define UBDX_PARAM_UINT(name, var, min, max, multiple, text)				\
static int ubdx_param_set_##name(const char *value, const struct kernel_param *kp)	\
{											\
	return ubdx_param_uint(value, kp, min, max, multiple);				\
}											\
static const struct kernel_param_ops ubdx_param_ops_##name = {				\
	.set = ubdx_param_set_##name,							\
	.get = param_get_uint,								\
};											\
module_param_cb(name, &ubdx_param_ops_##name, &(var), 0644);				\
MODULE_PARM_DESC(name, text)
/* clang-format on */

UBDX_PARAM_UINT(queues, ubdx_default_queues, 1, nr_cpu_ids, 1,
		"queues of a device that doesn't say: 1 ... number of CPUs (default 1)");
UBDX_PARAM_UINT(depth, ubdx_default_depth, 1, UBDX_MAX_DEPTH, 1,
		"tags per queue of a device that doesn't say: 1 ... 4096 (default 128)");
UBDX_PARAM_UINT(
	max_io, ubdx_default_max_io, UBDX_MIN_IO_BYTES, UBDX_MAX_IO_BYTES, UBDX_MIN_IO_BYTES,
	"longest request in bytes of a device that doesn't say: 4096 ... 4194304, a multiple of 4096 (default 524288)");
UBDX_PARAM_UINT(max_devices, ubdx_max_devices, 0, INT_MAX, 1,
		"how many devices there may be: 0 ... 2147483647 (default 64)");

static int ubdx_param_set_xfer(const char *value, const struct kernel_param *kp)
{
	int mode = ubdx_xfer_parse(value);

	if (mode < 0)
		return mode;
	ubdx_xfer_set_default(mode);
	return 0;
}

static int ubdx_param_get_xfer(char *buf, const struct kernel_param *kp)
{
	return sysfs_emit(buf, "%s\n", ubdx_xfer_name(ubdx_xfer_default()));
}

static const struct kernel_param_ops ubdx_param_ops_xfer = {
	.set = ubdx_param_set_xfer,
	.get = ubdx_param_get_xfer,
};
module_param_cb(xfer, &ubdx_param_ops_xfer, NULL, 0644);
MODULE_PARM_DESC(
	xfer,
	"transfer mode of devices that aren't pinned to one, may be changed at any time: copy, user, map, splice (default copy)");

/* ---- of single modes ---- */

static const char *const ubdx_map_whens[] = { "fault", "eager" };

static int ubdx_param_set_map_when(const char *value, const struct kernel_param *kp)
{
	int when = sysfs_match_string(ubdx_map_whens, value);

	if (when < 0)
		return when;
	WRITE_ONCE(ubdx_map_when, when);
	return 0;
}

static int ubdx_param_get_map_when(char *buf, const struct kernel_param *kp)
{
	return sysfs_emit(buf, "%s\n", ubdx_map_whens[READ_ONCE(ubdx_map_when)]);
}

static const struct kernel_param_ops ubdx_param_ops_map_when = {
	.set = ubdx_param_set_map_when,
	.get = ubdx_param_get_map_when,
};
module_param_cb(map_when, &ubdx_param_ops_map_when, NULL, 0644);
MODULE_PARM_DESC(
	map_when,
	"mode map: put a request's pages into the window on a page fault, or all of them at once: fault, eager (default fault)");
module_param_named(allow_partial_pages, ubdx_allow_partial_pages, bool, 0644);
MODULE_PARM_DESC(
	allow_partial_pages,
	"mode map: show the server whole pages though a request has only a part of them (default N)");

static int __init ubdx_init(void)
{
	int ret = ubdx_dev_init();

	if (ret)
		return ret;
	ret = ubdx_ctl_init();
	if (ret)
		ubdx_dev_exit();
	return ret;
}

static void __exit ubdx_exit(void)
{
	ubdx_ctl_exit();
	ubdx_dev_exit();
}

module_init(ubdx_init);
module_exit(ubdx_exit);

MODULE_AUTHOR("the ubdx authors");
MODULE_DESCRIPTION("user-space block device with an exchangeable data path");
MODULE_LICENSE("GPL");
