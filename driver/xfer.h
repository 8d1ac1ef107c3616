/* SPDX-License-Identifier: GPL-2.0 */
/*
 * xfer.h - a transfer mode: how a request's payload moves between its pages and the server.
 *
 * A mode knows no channel and no device state. Adding one is a file with an ops table, and an entry
 * in ubdx_xfer_table (xfer.c). The mode of a request is chosen once, by ubdx_xfer_select() in
 * queue_rq, and kept in its slot and its descriptor.
 */
#ifndef UBDX_XFER_H
#define UBDX_XFER_H

#include "dev.h"

/**
 * struct ubdx_xfer_ops - one transfer mode.
 * @name:	as in the module parameter, sysfs, the command line and results.
 * @mode:	enum ubdx_xfer_mode.
 * @deliver:	make the payload reachable for the server, in its task, before it is told of the
 *		request. Returns 0, or a negative errno, which fails the request. May sleep.
 * @commit:	the server is done with the first @bytes of the request (a READ's are to be
 *		moved into its pages). In its task; may sleep. Returns how many are good,
 *		at most @bytes, or a negative errno.
 * @commit_copies: @commit copies a READ's payload, which takes its time.
 *
 * Either function may be NULL. Both are called for requests with a payload only.
 */
struct ubdx_xfer_ops {
	const char *name;
	u8 mode;
	int (*deliver)(struct ubdx_server_queue *sq, struct ubdx_slot *slot);
	int (*commit)(struct ubdx_server_queue *sq, struct ubdx_slot *slot, unsigned int bytes);
	bool commit_copies;
};

extern const struct ubdx_xfer_ops ubdx_xfer_copy;

/* The modes that work on this kernel, as 1 << enum ubdx_xfer_mode. */
u64 ubdx_xfer_supported(void);
const char *ubdx_xfer_name(unsigned int mode);
int ubdx_xfer_parse(const char *name);
ssize_t ubdx_xfer_list(char *buf, unsigned int current_mode);

int ubdx_xfer_init_dev(struct ubdx_dev *dev, u64 offered);
int ubdx_xfer_reoffer(struct ubdx_dev *dev, u64 offered);
int ubdx_xfer_pin(struct ubdx_dev *dev, u32 mode);
void ubdx_xfer_follow(struct ubdx_dev *dev);
void ubdx_xfer_refollow(struct ubdx_dev *dev);

unsigned int ubdx_xfer_default(void);
void ubdx_xfer_set_default(unsigned int mode);

/* The one place where a request's mode is decided. */
static inline const struct ubdx_xfer_ops *ubdx_xfer_select(const struct ubdx_dev *dev,
							   const struct request *rq)
{
	return READ_ONCE(dev->xfer);
}

#endif /* UBDX_XFER_H */
