/* SPDX-License-Identifier: GPL-2.0 */
/*
 * xfer.h - a transfer mode: how a request's payload moves between its pages and the server.
 *
 * A mode knows no channel and no device state. A new mode is a file with an ops table, and an entry
 * in xfer_list.h. ubdx_xfer_select() chooses a request's mode, in queue_rq. Delivery can still fall
 * back to mode `user`. Then the mode is written to the request's descriptor. Only a commit that
 * forwards the request changes the mode after that, to `forward`.
 */
#ifndef UBDX_XFER_H
#define UBDX_XFER_H

#include "dev.h"

/**
 * struct ubdx_xfer_ops - one transfer mode.
 * @name:	name in the module parameter, sysfs, the command line and results.
 * @mode:	enum ubdx_xfer_mode.
 * @deliver:	by operation, READ or WRITE: make the payload reachable for the server, before the
 *		server sees the request. Returns 0; a negative errno, see below; or, if @falls_back,
 *		enum ubdx_fallback: the mode can't carry this request after all.
 * @commit:	by operation: move the request's first answer->res bytes, which the server says it
 *		has served. answer->res is positive and at most the request's length. Returns how
 *		many bytes have moved, or a negative errno, see below.
 * @trusts:	the driver can't check how many bytes of a READ the server has filled, so only a
 *		trusted server can use the mode; see enum ubdx_xfer_mode.
 * @moves:	@deliver takes time for each byte of the payload, see UBDX_DELIVER_BYTES.
 * @falls_back:	requests that the mode can't carry take UBDX_XFER_USER, so a server must offer both.
 * @access:	UBDX_ACCESS_*: how a payload can be accessed while the request is at the server.
 * @refuse:	returns why the mode can't carry this request, or 0. Called from queue_rq; must not
 *		sleep. Can set slot->page_offset, and clear slot->deliver if @deliver has nothing to
 *		do for this request.
 * @recall:	take back what @deliver has lent to the server's ring. Called if slot->lent is set,
 *		in the server's task: at a commit, before the request ends or is forwarded; and
 *		after delivery, if the server is dead by then.
 * @detach:	take back what was lent for any tag of the queue. srvq->dead is set; ctx->cmd is
 *		ATTACH's command. A delivery can run at the same time, and calls @recall itself.
 * @unmap:	unmap the request's pages from the windows of slot->mapped_by. Called if mapped_by
 *		is set, before the request ends or is forwarded, when it has no users. May sleep.
 * @revoke:	drop users that could stay for any time. srvq->dead is set, and the server's
 *		requests have been aborted.
 *
 * @deliver and @commit run in the server's task and may sleep. Before they wait for the server's
 * memory, they pass the request back, see ubdx_slot_pass(). If they return -ENODEV, the request has
 * been aborted, and the caller doesn't own it any more. If they return -ENOMEM, the request is
 * retried later. Any other errno fails the request.
 *
 * Each function may be NULL. Those that get a slot are called only for requests with a payload.
 */
#define UBDX_ACCESS_BYTES 1 /* pread and pwrite on the channel */
#define UBDX_ACCESS_MAP 2 /* page faults in the windows */
#define UBDX_ACCESS_SPLICE 4 /* splice from the channel */

/*
 * The command for which a mode's function runs. @issue_flags tells whether the caller holds the
 * uring_lock of the command's ring.
 */
struct ubdx_ctx {
	struct ubdx_server_queue *srvq;
	struct io_uring_cmd *cmd;
	unsigned int issue_flags; /* IO_URING_F_* */
};

/* What the server answered, read once. Not trusted. */
struct ubdx_answer {
	s32 res; /* bytes or -errno, see struct ubdx_commit */
	u32 flags; /* UBDX_COMMIT_* */
	u64 addr; /* with UBDX_COMMIT_FORWARD */
	const struct ubdx_extent *extents; /* with UBDX_COMMIT_EXTENTS: array of @res elements */
};

typedef int (*ubdx_deliver_fn)(const struct ubdx_ctx *ctx, struct ubdx_slot *slot);
typedef int (*ubdx_commit_fn)(const struct ubdx_ctx *ctx, struct ubdx_slot *slot,
			      const struct ubdx_answer *answer);

struct ubdx_xfer_ops {
	const char *name;
	u8 mode;
	ubdx_deliver_fn deliver[2];
	ubdx_commit_fn commit[2];
	bool trusts;
	bool moves;
	bool falls_back;
	u8 access;
	enum ubdx_fallback (*refuse)(struct ubdx_dev *dev, struct ubdx_slot *slot);
	void (*recall)(const struct ubdx_ctx *ctx, struct ubdx_slot *slot);
	void (*detach)(const struct ubdx_ctx *ctx);
	void (*unmap)(struct ubdx_slot *slot);
	void (*revoke)(struct ubdx_server *srv);
};

/* Weak: a mode that isn't built has the address NULL, so it is absent from the table in xfer.c. */
#define UBDX_XFER_DECLARE(MODE, name) extern const struct ubdx_xfer_ops ubdx_xfer_##name __weak;
UBDX_XFER_LIST(UBDX_XFER_DECLARE)
#undef UBDX_XFER_DECLARE

/* xfer_map.c */
enum ubdx_map_when {
	UBDX_MAP_FAULT,
	UBDX_MAP_EAGER,
};

int ubdx_map_mmap(struct ubdx_server *srv, struct vm_area_struct *vma, u64 offset);

/* xfer_splice.c */
ssize_t ubdx_splice_read(struct file *file, loff_t *ppos, struct pipe_inode_info *pipe, size_t len,
			 unsigned int flags);

/* module.c: parameters of modes; READ_ONCE */
extern unsigned int ubdx_map_when;
extern bool ubdx_allow_partial_pages;

/* The modes that work on this kernel: bits 1 << enum ubdx_xfer_mode. */
u64 ubdx_xfer_supported(void);
const char *ubdx_xfer_name(unsigned int mode);
int ubdx_xfer_parse(const char *name);
ssize_t ubdx_xfer_list(char *buf, unsigned int current_mode);
const char *ubdx_fallback_name(enum ubdx_fallback reason);

int ubdx_xfer_init_dev(struct ubdx_dev *dev, u64 offered);
int ubdx_xfer_offer(struct ubdx_dev *dev, u64 offered, bool trusted);
int ubdx_xfer_pin(struct ubdx_dev *dev, u32 mode);
void ubdx_xfer_unpin(struct ubdx_dev *dev);
void ubdx_xfer_update(struct ubdx_dev *dev);
void ubdx_xfer_revoke(struct ubdx_server *srv);
void ubdx_xfer_detach(const struct ubdx_ctx *ctx);

unsigned int ubdx_xfer_default(void);
void ubdx_xfer_set_default(unsigned int mode);

enum ubdx_fallback ubdx_xfer_refuse_odd(struct ubdx_dev *dev, struct ubdx_slot *slot);
const struct ubdx_xfer_ops *ubdx_xfer_fall_back(struct ubdx_slot *slot, enum ubdx_fallback reason);

/* If delivery has lent something to the server's ring, take it back. */
static inline void ubdx_xfer_recall(const struct ubdx_ctx *ctx, struct ubdx_slot *slot)
{
	if (!slot->lent)
		return;
	slot->lent = false;
	slot->xfer->recall(ctx, slot);
}

/* Choose a request's mode. Called only from queue_rq, when slot->rq and slot->op are set. */
static inline const struct ubdx_xfer_ops *ubdx_xfer_select(struct ubdx_slot *slot)
{
	const struct ubdx_xfer_ops *xfer = READ_ONCE(slot->q->dev->xfer);

	slot->fallback = UBDX_FALLBACK_NONE;
	slot->page_offset = 0;
	slot->deliver = false;
	slot->lent = false;
	if (!ubdx_slot_has_payload(slot))
		return xfer;
	slot->deliver = xfer->deliver[slot->op];
	if (xfer->refuse) {
		enum ubdx_fallback reason = xfer->refuse(slot->q->dev, slot);

		if (unlikely(reason))
			return ubdx_xfer_fall_back(slot, reason);
	}
	return xfer;
}

#endif /* UBDX_XFER_H */
