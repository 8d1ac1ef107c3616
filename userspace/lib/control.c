// SPDX-License-Identifier: MIT OR LGPL-2.1
/*
 * control.c - the ioctls on the control node, SET_FILE on the channel, and the names of modes,
 * states and kinds of recovery. The caller owns the descriptor, so there is no state here.
 */
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>

#include "lib.h"
#include "strategy.h"

#define UBDX_CONTROL_PATH "/dev/" UBDX_CONTROL_NAME

/* ---- names ---- */

const char *ubdx_lib_version(void)
{
	return UBDX_LIB_VERSION;
}

const char *ubdx_xfer_name(unsigned int mode)
{
	if (mode >= UBDX_NR_XFER || !ubdx_strategies[mode])
		return NULL;
	return ubdx_strategies[mode]->name;
}

int ubdx_xfer_by_name(const char *name)
{
	unsigned int mode;

	for (mode = 0; mode < UBDX_NR_XFER; mode++)
		if (ubdx_strategies[mode] && !strcmp(ubdx_strategies[mode]->name, name))
			return mode;
	return ubdx_fail(-EINVAL, "%s is no transfer mode", name);
}

uint64_t ubdx_xfer_modes(void)
{
	uint64_t modes = 0;
	unsigned int mode;

	for (mode = 0; mode < UBDX_NR_XFER; mode++)
		if (ubdx_strategies[mode])
			modes |= 1ULL << mode;
	return modes;
}

const char *ubdx_state_name(unsigned int state)
{
	static const char *const names[] = {
		[UBDX_S_ADDED] = "added",
		[UBDX_S_LIVE] = "live",
		[UBDX_S_DEAD] = "dead",
		[UBDX_S_QUIESCED] = "quiesced",
	};

	return state < ARRAY_SIZE(names) ? names[state] : "?";
}

const char *ubdx_recovery_name(unsigned int recovery)
{
	static const char *const names[] = {
		[UBDX_RECOVERY_FAIL] = "fail",
		[UBDX_RECOVERY_QUEUE] = "queue",
		[UBDX_RECOVERY_REISSUE] = "reissue",
	};

	return recovery < ARRAY_SIZE(names) ? names[recovery] : NULL;
}

/* ---- ioctls ---- */

static int ubdx_ioctl(int ctl, unsigned long request, void *arg)
{
	int ret;

	do {
		ret = ioctl(ctl, request, arg);
	} while (ret < 0 && errno == EINTR);
	return ret < 0 ? -errno : 0;
}

int ubdx_ctl_open(void)
{
	int fd = open(UBDX_CONTROL_PATH, O_RDWR | O_CLOEXEC);

	if (fd < 0 && errno == EACCES)
		fd = open(UBDX_CONTROL_PATH, O_RDONLY | O_CLOEXEC); /* enough to look */
	if (fd >= 0)
		return fd;
	switch (errno) {
	case ENOENT:
	case ENXIO:
	case ENODEV:
		return ubdx_fail(-errno, UBDX_CONTROL_PATH
				 ": %m; is the ubdx module loaded? (modprobe ubdx)");
	case EACCES:
	case EPERM:
		return ubdx_fail(-errno, UBDX_CONTROL_PATH
				 ": %m; run as root, or have root change the node's mode");
	default:
		return ubdx_fail(-errno, UBDX_CONTROL_PATH ": %m");
	}
}

int ubdx_ctl_features(int ctl, struct ubdx_features *features)
{
	int ret;

	memset(features, 0, sizeof(*features));
	ret = ubdx_ioctl(ctl, UBDX_IOC_FEATURES, features);
	if (ret == -ENOTTY)
		return ubdx_fail(ret,
				 UBDX_CONTROL_PATH ": the driver doesn't speak this interface; "
						   "library and module are of different versions");
	if (ret)
		return ubdx_fail(ret, "asking for the driver's features: %m");
	return 0;
}

static int ubdx_add_failed(int ret, const struct ubdx_add *add)
{
	switch (ret) {
	case -EEXIST:
		return ubdx_fail(ret,
				 "device number %d is taken; choose another one, or delete "
				 "ubdxb%d",
				 add->id, add->id);
	case -ENOSPC:
		return ubdx_fail(ret,
				 "there are as many devices as the module allows; delete a device, "
				 "or raise /sys/module/ubdx/parameters/max_devices");
	case -EPROTO:
		return ubdx_fail(ret,
				 "the driver doesn't speak version %u of the interface; "
				 "library and module are of different versions",
				 add->version);
	case -EOPNOTSUPP:
		return ubdx_fail(ret, "the driver has none of the transfer modes offered");
	case -EINVAL:
		return ubdx_fail(ret, "the driver refuses a parameter of the device");
	default:
		return ubdx_fail(ret, "adding a device: %m");
	}
}

int ubdx_ctl_add(int ctl, struct ubdx_add *add)
{
	int ret = ubdx_ioctl(ctl, UBDX_IOC_ADD, add);

	return ret ? ubdx_add_failed(ret, add) : 0;
}

/* START, STOP, DEL and QUIESCE share their argument and most of their errors. */
static int ubdx_ctl_simple(int ctl, unsigned long request, const char *doing,
			   const struct ubdx_ctl *arg)
{
	int id = arg->id, ret = ubdx_ioctl(ctl, request, (void *)arg);

	switch (ret) {
	case 0:
		return 0;
	case -EINPROGRESS:
		return ubdx_fail(ret, "ubdxb%d is in use, and will be deleted when it is closed",
				 id);
	case -ENODEV:
		return ubdx_fail(ret, "there is no device %d", id);
	case -EBUSY:
		return ubdx_fail(ret, "ubdxb%d is in use; unmount or close it first, or use force",
				 id);
	default:
		return ubdx_fail(ret, "%s ubdxb%d: %m", doing, id);
	}
}

int ubdx_ctl_start(int ctl, int id, uint64_t xfer_modes)
{
	const struct ubdx_ctl arg = { .id = id, .xfer_modes = xfer_modes };
	int ret = ubdx_ctl_simple(ctl, UBDX_IOC_START, "starting", &arg);

	if (ret == -EBUSY)
		return ubdx_fail(ret, "ubdxb%d was started already", id);
	if (ret == -ETIME)
		return ubdx_fail(
			ret,
			"the failed server of ubdxb%d was killed, but it has not exited yet, or "
			"I/O that it has forwarded has not ended; its storage may not respond",
			id);
	return ret;
}

int ubdx_ctl_stop(int ctl, int id, unsigned int flags, uint64_t timeout_ms)
{
	const struct ubdx_ctl arg = { .id = id, .flags = flags, .timeout_ms = timeout_ms };

	return ubdx_ctl_simple(ctl, UBDX_IOC_STOP, "stopping", &arg);
}

int ubdx_ctl_del(int ctl, int id, unsigned int flags, uint64_t timeout_ms)
{
	const struct ubdx_ctl arg = { .id = id, .flags = flags, .timeout_ms = timeout_ms };

	return ubdx_ctl_simple(ctl, UBDX_IOC_DEL, "deleting", &arg);
}

int ubdx_ctl_quiesce(int ctl, int id)
{
	const struct ubdx_ctl arg = { .id = id };
	int ret = ubdx_ctl_simple(ctl, UBDX_IOC_QUIESCE, "handing over", &arg);

	if (ret == -EOPNOTSUPP)
		return ubdx_fail(ret, "ubdxb%d was added without --recovery queue or reissue", id);
	if (ret == -ESHUTDOWN)
		return ubdx_fail(ret, "ubdxb%d is being stopped", id);
	if (ret == -ETIME)
		return ubdx_fail(ret, "the server of ubdxb%d doesn't answer its requests", id);
	if (ret == -ENXIO)
		return ubdx_fail(
			ret,
			"the server of ubdxb%d failed meanwhile; the device waits for another "
			"server (ubdx recover)",
			id);
	return ret;
}

static int ubdx_ctl_describe(int ctl, int id, unsigned int flags, struct ubdx_info *info)
{
	memset(info, 0, sizeof(*info));
	info->id = id;
	info->flags = flags;
	return ubdx_ioctl(ctl, UBDX_IOC_INFO, info);
}

int ubdx_ctl_info(int ctl, int id, struct ubdx_info *info)
{
	int ret = ubdx_ctl_describe(ctl, id, 0, info);

	if (ret == -ENODEV)
		return ubdx_fail(ret, "there is no device %d", id);
	return ret ? ubdx_fail(ret, "asking about device %d: %m", id) : 0;
}

int ubdx_ctl_next(int ctl, int id, struct ubdx_info *info)
{
	int ret = ubdx_ctl_describe(ctl, id, UBDX_INFO_NEXT, info);

	if (!ret || ret == -ENODEV)
		return ret;
	return ubdx_fail(ret, "listing devices: %m");
}

/* The text comes from the device's server, which need not be trusted. */
static void ubdx_make_printable(char *text)
{
	unsigned char *c;

	for (c = (unsigned char *)text; *c; c++)
		if (*c < 0x20 || *c == 0x7f || (c[0] == 0xc2 && c[1] >= 0x80 && c[1] < 0xa0))
			*c = '?';
}

int ubdx_ctl_target_info(int ctl, int id, struct ubdx_target_info *target_info)
{
	int ret;

	memset(target_info, 0, sizeof(*target_info));
	target_info->id = id;
	ret = ubdx_ioctl(ctl, UBDX_IOC_GET_TARGET_INFO, target_info);
	if (ret == -ENOTTY) /* an older driver */
		return 0;
	if (ret == -ENODEV)
		return ubdx_fail(ret, "there is no device %d", id);
	if (ret)
		return ubdx_fail(ret, "asking what ubdxb%d serves: %m", id);
	ubdx_make_printable(target_info->target);
	ubdx_make_printable(target_info->serial);
	ubdx_make_printable(target_info->text);
	return 0;
}

int ubdx_ctl_set_target_info(int ctl, const struct ubdx_target_info *target_info)
{
	int ret = ubdx_ioctl(ctl, UBDX_IOC_SET_TARGET_INFO, (void *)target_info);

	if (!ret || ret == -ENOTTY)
		return 0;
	return ubdx_fail(ret, "setting what ubdxb%d serves: %m", target_info->id);
}

/*
 * Register a file for mode `forward` and for extents, at @index. Returns 0 or a negative errno, and
 * sets no message.
 */
int ubdx_chan_set_file(int channel, unsigned int index, int fd)
{
	const struct ubdx_file arg = { .index = index, .fd = fd };

	return ubdx_ioctl(channel, UBDX_IOC_SET_FILE, (void *)&arg);
}

/* The name of a mode, or the number of one that the library does not know. */
static const char *ubdx_mode_text(unsigned int mode, char *text, size_t size)
{
	const char *name = ubdx_xfer_name(mode);

	if (name)
		return name;
	snprintf(text, size, "number %u", mode);
	return text;
}

int ubdx_ctl_set_xfer(int ctl, int id, unsigned int mode)
{
	struct ubdx_set set = { .id = id, .xfer = mode };
	char text[32];
	int ret = ubdx_ioctl(ctl, UBDX_IOC_SET, &set);

	switch (ret) {
	case 0:
		return 0;
	case -ENODEV:
		return ubdx_fail(ret, "there is no device %d", id);
	case -EINVAL:
		return ubdx_fail(ret, "the driver has no transfer mode %s on this kernel",
				 ubdx_mode_text(mode, text, sizeof(text)));
	case -EOPNOTSUPP:
		return ubdx_fail(ret, "the server of ubdxb%d doesn't offer transfer mode %s", id,
				 ubdx_mode_text(mode, text, sizeof(text)));
	default:
		return ubdx_fail(ret, "setting the transfer mode of ubdxb%d: %m", id);
	}
}
