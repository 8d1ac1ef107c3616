// SPDX-License-Identifier: GPL-2.0
/*
 * module.c - the module's parameters, init and exit.
 */
#include <linux/module.h>
#include <linux/moduleparam.h>
#include <linux/sysfs.h>

#include "extents.h"
#include "xfer.h"

unsigned int ubdx_max_devices = 64;
unsigned int ubdx_map_when = UBDX_MAP_FAULT;
bool ubdx_allow_partial_pages;

module_param_named(max_devices, ubdx_max_devices, uint, 0644);
MODULE_PARM_DESC(max_devices, "maximum number of devices: 0 ... 4294967295 (default 64)");

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
	"transfer mode of devices that aren't pinned to one, may be changed at any time: copy, user, map, splice, regbuf, forward (default copy)");

/* ---- parameters of single modes ---- */

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
	"mode map: when to map a request's pages, on the first page fault or at delivery: fault, eager (default fault)");
module_param_named(allow_partial_pages, ubdx_allow_partial_pages, bool, 0644);
MODULE_PARM_DESC(
	allow_partial_pages,
	"mode map: also map pages that a request fills only in part; the server can access all of such a page (default N)");

static int __init ubdx_init(void)
{
	int ret = ubdx_dev_init();

	if (ret)
		return ret;
	ubdx_resolvers_init();
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
