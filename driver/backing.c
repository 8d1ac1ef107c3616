// SPDX-License-Identifier: GPL-2.0
/*
 * backing.c - what a device stands on, in its server's words: struct ubdx_backing.
 *
 * A server sets its own description, which becomes the device's at START and stays when the server
 * is gone. So whoever recovers the device can see whether it would serve the same data. The driver
 * checks the form only, and believes none of it.
 *
 * dev->backing and srv->backing are protected by dev->state_lock.
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

static bool ubdx_backing_is_valid(const struct ubdx_backing *b)
{
	return !b->reserved && b->target[0] && ubdx_is_word(b->target, sizeof(b->target)) &&
	       ubdx_is_word(b->serial, sizeof(b->serial)) &&
	       strnlen(b->text, sizeof(b->text)) < sizeof(b->text);
}

/**
 * ubdx_backing_set - UBDX_IOC_SET_BACKING: the caller, a server, says what it will serve.
 * @dev:	device.
 * @backing:	from kmalloc(); freed or kept.
 */
int ubdx_backing_set(struct ubdx_dev *dev, struct ubdx_backing *backing)
{
	int ret = -EPERM;

	if (!ubdx_backing_is_valid(backing)) {
		kfree(backing);
		return -EINVAL;
	}
	spin_lock(&dev->state_lock);
	if (dev->srv && dev->srv->mm == current->mm) {
		ret = dev->state == UBDX_S_LIVE ? -EBUSY : 0;
		if (!ret)
			swap(dev->srv->backing, backing);
	}
	spin_unlock(&dev->state_lock);
	kfree(backing);
	return ret;
}

/* UBDX_IOC_GET_BACKING: all zero but for the number if nobody has said. */
void ubdx_backing_get(struct ubdx_dev *dev, struct ubdx_backing *out)
{
	spin_lock(&dev->state_lock);
	*out = dev->backing ? *dev->backing : (struct ubdx_backing){};
	spin_unlock(&dev->state_lock);
	out->id = dev->id;
}

/**
 * ubdx_backing_swap - at START, what the server has said becomes what the device knows.
 * @dev:	device. dev->lock is held.
 * @srv:	its server.
 *
 * Call it again to undo it. Not for a server that has said nothing: the device keeps what it knows.
 */
void ubdx_backing_swap(struct ubdx_dev *dev, struct ubdx_server *srv)
{
	spin_lock(&dev->state_lock);
	swap(dev->backing, srv->backing);
	spin_unlock(&dev->state_lock);
}
