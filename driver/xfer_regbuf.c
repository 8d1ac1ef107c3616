// SPDX-License-Identifier: GPL-2.0
/*
 * xfer_regbuf.c - transfer mode `regbuf`: the request's pages are a fixed buffer of the server's
 * ring for READ_FIXED and WRITE_FIXED. Tag t has index buf_base + t in the ring's buffer table.
 * ATTACH sets buf_base. The server can also read and write the payload as in mode `user`.
 *
 * A registered buffer is a user of the request (slot.h). io_uring calls ubdx_regbuf_release() when
 * the last fixed I/O with the buffer has completed and the buffer is unregistered. Delivery
 * registers the buffer, and the commit unregisters it. Both run with the ring's uring_lock held, so
 * they do this directly: the server submits no commands to register or unregister buffers. A
 * request that is committed while fixed I/O is under way ends when that I/O has completed.
 *
 * If the server is aborted, the driver unregisters all buffers of the queue before it completes
 * ATTACH's command. But a buffer stays as long as fixed I/O uses it: io_uring completes such I/O in
 * the server's task, or when the ring is torn down. A buffer also stays in every other ring into
 * which the server has cloned it (io_uring_clone_buffers()). The driver can revoke neither. The
 * tick kills a server whose requests don't end (ubdx_is_stuck()), and the ring is torn down when
 * its last descriptor is closed. If another process has inherited such a descriptor, the request
 * waits until that process closes it or exits.
 */
#include <linux/blk-mq.h>
#include <linux/io_uring/cmd.h>

#include "xfer.h"

static unsigned int ubdx_regbuf_index(const struct ubdx_server_queue *srvq, u16 tag)
{
	return srvq->buf_base + tag;
}

/* Process context. The caller may hold uring_lock of this ring, or of a ring that has a clone. */
static void ubdx_regbuf_release(void *priv)
{
	struct request *rq = priv; /* the buffer is a user, so the request hasn't ended */
	struct ubdx_queue *q = rq->mq_hctx->driver_data;
	struct ubdx_use use = { .slot = &q->slots[rq->tag] };

	ubdx_use_end(&use);
}

static int ubdx_regbuf_deliver(const struct ubdx_ctx *ctx, struct ubdx_slot *slot)
{
	int ret;

	ubdx_slot_add_user(slot);
	ret = io_buffer_register_request(ctx->cmd, slot->rq, ubdx_regbuf_release,
					 ubdx_regbuf_index(ctx->srvq, slot->rq->tag),
					 ctx->issue_flags);
	if (unlikely(ret)) {
		ubdx_slot_put(slot); /* doesn't end the request, which is CLAIMED, not ENDING */
		return UBDX_FALLBACK_TABLE;
	}
	slot->lent = true;
	return 0;
}

/*
 * The result is ignored: the call fails if the server has unregistered the buffer or put one of its
 * own in its place, and then there is nothing to take back.
 */
static void ubdx_regbuf_recall(const struct ubdx_ctx *ctx, struct ubdx_slot *slot)
{
	io_buffer_unregister(ctx->cmd, ubdx_regbuf_index(ctx->srvq, slot->rq->tag),
			     ctx->issue_flags);
}

static void ubdx_regbuf_detach(const struct ubdx_ctx *ctx)
{
	u16 tag;

	for (tag = 0; tag < ctx->srvq->q->depth; tag++)
		io_buffer_unregister(ctx->cmd, ubdx_regbuf_index(ctx->srvq, tag), ctx->issue_flags);
}

const struct ubdx_xfer_ops ubdx_xfer_regbuf = {
	.name = "regbuf",
	.mode = UBDX_XFER_REGBUF,
	.deliver = { ubdx_regbuf_deliver, ubdx_regbuf_deliver },
	.trusts = true,
	.falls_back = true,
	.access = UBDX_ACCESS_BYTES,
	.refuse = ubdx_xfer_refuse_odd,
	.recall = ubdx_regbuf_recall,
	.detach = ubdx_regbuf_detach,
};
