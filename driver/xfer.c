// SPDX-License-Identifier: GPL-2.0
/*
 * xfer.c - the table of transfer modes, and the choice of the mode that a device's new requests
 * take.
 *
 * A device follows the module parameter unless it is pinned to a mode. Its mode is dev->xfer, which
 * is written under dev->xfer_lock. queue_rq reads dev->xfer once for each request, without the
 * lock. Later changes of dev->xfer don't affect that request. So a change of mode needs neither a
 * drain nor a freeze.
 */
#include <linux/string.h>
#include <linux/sysfs.h>

#include "xfer.h"

#define UBDX_XFER_ENTRY(MODE, name) [UBDX_XFER_##MODE] = &ubdx_xfer_##name,

/* NULL: this kernel lacks the mode, so the mode is in no list, and no device can have it. */
static const struct ubdx_xfer_ops *const ubdx_xfer_table[UBDX_NR_XFER] = {
	UBDX_XFER_LIST(UBDX_XFER_ENTRY) /**/
};

static unsigned int ubdx_xfer_default_mode = UBDX_XFER_COPY;

u64 ubdx_xfer_supported(void)
{
	u64 mask = 0;
	unsigned int i;

	for (i = 0; i < ARRAY_SIZE(ubdx_xfer_table); i++)
		if (ubdx_xfer_table[i])
			mask |= BIT_ULL(i);
	return mask;
}

/* NULL: there is no such mode on this kernel. */
const char *ubdx_xfer_name(unsigned int mode)
{
	if (mode >= ARRAY_SIZE(ubdx_xfer_table) || !ubdx_xfer_table[mode])
		return NULL;
	return ubdx_xfer_table[mode]->name;
}

/**
 * ubdx_xfer_parse - find a mode by its name.
 * @name:	name; can end in a newline.
 *
 * Returns enum ubdx_xfer_mode, or -EINVAL.
 */
int ubdx_xfer_parse(const char *name)
{
	unsigned int i;

	for (i = 0; i < ARRAY_SIZE(ubdx_xfer_table); i++)
		if (ubdx_xfer_table[i] && sysfs_streq(name, ubdx_xfer_table[i]->name))
			return i;
	return -EINVAL;
}

/* All names, the current one in brackets, as sysfs files do. Returns the length. */
ssize_t ubdx_xfer_list(char *buf, unsigned int current_mode)
{
	ssize_t len = 0;
	unsigned int i;

	for (i = 0; i < ARRAY_SIZE(ubdx_xfer_table); i++)
		if (ubdx_xfer_table[i])
			len += sysfs_emit_at(buf, len, i == current_mode ? "%s[%s]" : "%s%s",
					     len ? " " : "", ubdx_xfer_table[i]->name);
	len += sysfs_emit_at(buf, len, "\n");
	return len;
}

const char *ubdx_fallback_name(enum ubdx_fallback reason)
{
	static const char *const names[UBDX_NR_FALLBACKS] = {
		[UBDX_FALLBACK_NONE] = "none",
		[UBDX_FALLBACK_PARTIAL] = "partial",
		[UBDX_FALLBACK_GAP] = "gap",
		[UBDX_FALLBACK_LONG] = "long",
		[UBDX_FALLBACK_SLAB] = "slab",
		[UBDX_FALLBACK_TABLE] = "table",
		[UBDX_FALLBACK_UNALIGNED] = "unaligned",
	};

	return names[reason];
}

/* Returns UBDX_FALLBACK_UNALIGNED if a segment doesn't consist of whole logical blocks. */
static noinline enum ubdx_fallback ubdx_xfer_look_for_odd(const struct ubdx_slot *slot)
{
	struct req_iterator iter;
	struct bio_vec bv;

	rq_for_each_bvec(bv, slot->rq, iter)
		if ((bv.bv_offset | bv.bv_len) & slot->q->block_mask)
			return UBDX_FALLBACK_UNALIGNED;
	return UBDX_FALLBACK_NONE;
}

/**
 * ubdx_xfer_refuse_odd - for modes in which a file or block device below gets the request's own
 * segments: refuse a request unless all its segments are whole logical blocks.
 * @dev:	device.
 * @slot:	slot.
 *
 * Some block devices transfer wrong bytes otherwise, and nothing below us checks that. If the first
 * segment begins at a logical block and there are no gaps, all segments are whole logical blocks.
 */
enum ubdx_fallback ubdx_xfer_refuse_odd(struct ubdx_dev *dev, struct ubdx_slot *slot)
{
	struct request *rq = slot->rq;

	if (likely(!(req_bvec(rq).bv_offset & slot->q->block_mask) && !ubdx_rq_may_have_gaps(rq)))
		return UBDX_FALLBACK_NONE;
	return ubdx_xfer_look_for_odd(slot);
}

/* The device's mode can't carry this request. Returns the mode that the request takes instead. */
const struct ubdx_xfer_ops *ubdx_xfer_fall_back(struct ubdx_slot *slot, enum ubdx_fallback reason)
{
	slot->fallback = reason;
	slot->deliver = ubdx_xfer_user.deliver[slot->op];
	this_cpu_inc(slot->q->counts->fallbacks[reason]);
	return &ubdx_xfer_user;
}

/* The modes of a server's offer that work on this kernel, and that this server may use. */
static u64 ubdx_xfer_usable(u64 offered, bool trusted)
{
	u64 usable = 0;
	unsigned int i;

	for (i = 0; i < ARRAY_SIZE(ubdx_xfer_table); i++) {
		const struct ubdx_xfer_ops *xfer = ubdx_xfer_table[i];

		if (xfer && offered & BIT_ULL(i) && (trusted || !xfer->trusts) &&
		    (!xfer->falls_back || offered & BIT_ULL(UBDX_XFER_USER)))
			usable |= BIT_ULL(i);
	}
	return usable;
}

/* Remember that @mode is wanted, and take it if the server offers it. */
static bool ubdx_xfer_take(struct ubdx_dev *dev, u32 mode)
{
	lockdep_assert_held(&dev->xfer_lock);

	dev->xfer_wanted = mode;
	if (!(dev->xfer_offered & BIT_ULL(mode)))
		return false;
	WRITE_ONCE(dev->xfer, ubdx_xfer_table[mode]);
	return true;
}

/**
 * ubdx_xfer_init_dev - the first mode of a new device: the default, or else the first one offered.
 * @dev:	device, not yet visible to anybody.
 * @offered:	mask of modes its server offers.
 *
 * Returns 0, or -EOPNOTSUPP if @offered has no mode that the driver can use.
 */
int ubdx_xfer_init_dev(struct ubdx_dev *dev, u64 offered)
{
	offered = ubdx_xfer_usable(offered, true);
	if (!offered)
		return -EOPNOTSUPP;

	spin_lock_init(&dev->xfer_lock);
	dev->xfer_offered = offered;
	WRITE_ONCE(dev->xfer, ubdx_xfer_table[__ffs64(offered)]);
	ubdx_xfer_unpin(dev);
	return 0;
}

/**
 * ubdx_xfer_offer - a server starts to serve: choose the device's mode.
 * @dev:	device.
 * @offered:	mask of modes; 0: those that ADD, or the last server, offered.
 * @trusted:	the server may use the modes that trust the server.
 *
 * New requests take the mode that was wanted last, if it is offered; else the present mode, if it
 * is offered; else the first mode that is offered. Returns 0, or -EOPNOTSUPP if @offered has no
 * mode that this server can use.
 */
int ubdx_xfer_offer(struct ubdx_dev *dev, u64 offered, bool trusted)
{
	offered = ubdx_xfer_usable(offered ?: READ_ONCE(dev->xfer_offered), trusted);
	if (!offered)
		return -EOPNOTSUPP;

	spin_lock(&dev->xfer_lock);
	dev->xfer_offered = offered;
	if (!ubdx_xfer_take(dev, dev->xfer_wanted) && !(offered & BIT_ULL(dev->xfer->mode)))
		WRITE_ONCE(dev->xfer, ubdx_xfer_table[__ffs64(offered)]);
	spin_unlock(&dev->xfer_lock);
	return 0;
}

/**
 * ubdx_xfer_pin - new requests of this device take @mode, whatever the module parameter says.
 * @dev:	device.
 * @mode:	enum ubdx_xfer_mode; need not be valid.
 *
 * Returns 0; -EINVAL if there is no such mode; or -EOPNOTSUPP if the server doesn't offer it.
 */
int ubdx_xfer_pin(struct ubdx_dev *dev, u32 mode)
{
	int ret = 0;

	if (!ubdx_xfer_name(mode))
		return -EINVAL;

	spin_lock(&dev->xfer_lock);
	if (dev->xfer_offered & BIT_ULL(mode)) {
		ubdx_xfer_take(dev, mode);
		dev->xfer_pinned = true;
	} else {
		ret = -EOPNOTSUPP;
	}
	spin_unlock(&dev->xfer_lock);
	return ret;
}

/* Follow the module parameter. If the server doesn't offer that mode, the present one stays. */
void ubdx_xfer_unpin(struct ubdx_dev *dev)
{
	spin_lock(&dev->xfer_lock);
	dev->xfer_pinned = false;
	ubdx_xfer_take(dev, READ_ONCE(ubdx_xfer_default_mode));
	spin_unlock(&dev->xfer_lock);
}

/* The module parameter may have changed. If the device isn't pinned, it takes that mode. */
void ubdx_xfer_update(struct ubdx_dev *dev)
{
	spin_lock(&dev->xfer_lock);
	if (!dev->xfer_pinned)
		ubdx_xfer_take(dev, READ_ONCE(ubdx_xfer_default_mode));
	spin_unlock(&dev->xfer_lock);
}

/* Part of an abort: drop users that could stay for any time, see @revoke in xfer.h. */
void ubdx_xfer_revoke(struct ubdx_server *srv)
{
	unsigned int i;

	for (i = 0; i < ARRAY_SIZE(ubdx_xfer_table); i++)
		if (ubdx_xfer_table[i] && ubdx_xfer_table[i]->revoke)
			ubdx_xfer_table[i]->revoke(srv);
}

/* Take back what was lent to the ring for any tag, see @detach of struct ubdx_xfer_ops. */
void ubdx_xfer_detach(const struct ubdx_ctx *ctx)
{
	unsigned int i;

	for (i = 0; i < ARRAY_SIZE(ubdx_xfer_table); i++)
		if (ubdx_xfer_table[i] && ubdx_xfer_table[i]->detach)
			ubdx_xfer_table[i]->detach(ctx);
}

unsigned int ubdx_xfer_default(void)
{
	return READ_ONCE(ubdx_xfer_default_mode);
}

/* The module parameter was written: every device that follows it switches. */
void ubdx_xfer_set_default(unsigned int mode)
{
	WRITE_ONCE(ubdx_xfer_default_mode, mode);
	ubdx_dev_for_each(ubdx_xfer_update);
}
