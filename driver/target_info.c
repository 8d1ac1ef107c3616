// SPDX-License-Identifier: GPL-2.0
/*
 * target_info.c - the server's description of what it serves: struct ubdx_target_info.
 *
 * A server sets its description. At START this becomes the device's description, which stays when
 * the server is gone. The next server should compare the device's description with its own, to find
 * out whether it would serve the same data. The driver checks only the form.
 *
 * dev->target_info and srv->target_info are protected by dev->state_lock.
 */
#include <linux/ctype.h>
#include <linux/slab.h>
#include <linux/uaccess.h>

#include "dev.h"

/*
 * Is @text a string of printable ASCII without blanks, '/' and '\'? Then it can be part of a file
 * name, and be printed unescaped. It may be empty.
 */
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
 * ubdx_target_info_set - UBDX_IOC_SET_TARGET_INFO: the caller, a server, describes its target.
 * @dev:	device.
 * @target_info:	from kmalloc(). Kept in struct ubdx_server, or freed.
 */
int ubdx_target_info_set(struct ubdx_dev *dev, struct ubdx_target_info *target_info)
{
	int ret = -EPERM;

	if (!ubdx_target_info_is_valid(target_info)) {
		kfree(target_info);
		return -EINVAL;
	}
	/* Not during a START, which may have swapped the descriptions and may swap them back. */
	if (mutex_lock_killable(&dev->lock)) {
		kfree(target_info);
		return -EINTR;
	}
	spin_lock(&dev->state_lock);
	if (dev->srv && dev->srv->mm == current->mm) {
		ret = dev->state == UBDX_S_LIVE ? -EBUSY : 0;
		if (!ret)
			swap(dev->srv->target_info, target_info);
	}
	spin_unlock(&dev->state_lock);
	mutex_unlock(&dev->lock);
	kfree(target_info);
	return ret;
}

/* UBDX_IOC_GET_TARGET_INFO: all zero but @id until a server that has set a description STARTs. */
void ubdx_target_info_get(struct ubdx_dev *dev, struct ubdx_target_info *out)
{
	spin_lock(&dev->state_lock);
	*out = dev->target_info ? *dev->target_info : (struct ubdx_target_info){};
	spin_unlock(&dev->state_lock);
	out->id = dev->id;
}

/**
 * ubdx_target_info_swap - at START the server's description becomes the device's.
 * @dev:	device. dev->lock is held.
 * @srv:	its server.
 *
 * A second call undoes the first. Not called for a server without a description: then the device
 * keeps the description that it has.
 */
void ubdx_target_info_swap(struct ubdx_dev *dev, struct ubdx_server *srv)
{
	spin_lock(&dev->state_lock);
	swap(dev->target_info, srv->target_info);
	spin_unlock(&dev->state_lock);
}
