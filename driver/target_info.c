// SPDX-License-Identifier: GPL-2.0
/*
 * target_info.c - what a device stands on, in its server's words: struct ubdx_target_info.
 *
 * A server sets its own description, which becomes the device's at START and stays when the server
 * is gone. So whoever recovers the device can see whether it would serve the same data. The driver
 * checks the form only, and believes none of it.
 *
 * dev->target_info and srv->target_info are protected by dev->state_lock.
 */
#include <linux/ctype.h>
#include <linux/slab.h>
#include <linux/uaccess.h>

#include "dev.h"

/* A word without what would need quoting, in a file name or on a terminal. */
static bool ubdx_is_word(const char *text, size_t size)
{
	size_t i, len = strnlen(text, size);

	for (i = 0; i < len; i++)
		if (!isascii(text[i]) || !isgraph(text[i]) || text[i] == '/' || text[i] == '\\')
			return false;
	return len < size;
}

static bool ubdx_target_info_is_valid(const struct ubdx_target_info *b)
{
	return !b->reserved && b->target[0] && ubdx_is_word(b->target, sizeof(b->target)) &&
	       ubdx_is_word(b->serial, sizeof(b->serial)) &&
	       strnlen(b->text, sizeof(b->text)) < sizeof(b->text);
}

/**
 * ubdx_target_info_set - UBDX_IOC_SET_TARGET_INFO: the caller, a server, says what it will serve.
 * @dev:	device.
 * @target_info:	from kmalloc(); freed or kept.
 */
int ubdx_target_info_set(struct ubdx_dev *dev, struct ubdx_target_info *target_info)
{
	int ret = -EPERM;

	if (!ubdx_target_info_is_valid(target_info)) {
		kfree(target_info);
		return -EINVAL;
	}
	spin_lock(&dev->state_lock);
	if (dev->srv && dev->srv->mm == current->mm) {
		ret = dev->state == UBDX_S_LIVE ? -EBUSY : 0;
		if (!ret)
			swap(dev->srv->target_info, target_info);
	}
	spin_unlock(&dev->state_lock);
	kfree(target_info);
	return ret;
}

/* UBDX_IOC_GET_TARGET_INFO: all zero but for the number if nobody has said. */
void ubdx_target_info_get(struct ubdx_dev *dev, struct ubdx_target_info *out)
{
	spin_lock(&dev->state_lock);
	*out = dev->target_info ? *dev->target_info : (struct ubdx_target_info){};
	spin_unlock(&dev->state_lock);
	out->id = dev->id;
}

/**
 * ubdx_target_info_swap - at START, what the server has said becomes what the device knows.
 * @dev:	device. dev->lock is held.
 * @srv:	its server.
 *
 * Call it again to undo it. Not for a server that has said nothing: the device keeps what it knows.
 */
void ubdx_target_info_swap(struct ubdx_dev *dev, struct ubdx_server *srv)
{
	spin_lock(&dev->state_lock);
	swap(dev->target_info, srv->target_info);
	spin_unlock(&dev->state_lock);
}
