// SPDX-License-Identifier: GPL-2.0
/*
 * xfer_copy.c - transfer mode `copy`: the payload is copied between the request's pages and the
 * buffer that the server named in the tag's FETCH. The other modes are compared with this one.
 *
 * Both copies run in the server's task, so the server's memory is the current address space, and
 * nothing is pinned. The request's pages stay until the request ends, and the caller owns the
 * request. If the buffer isn't accessible, the copy is short.
 *
 * A page of the buffer that isn't present must be faulted in. The fault can take any time
 * (payload.h). Meanwhile the request returns to its former state, QUEUED or SERVER, so that an
 * abort can claim the request.
 */
#include <linux/sched/mm.h>

#include "payload.h"
#include "xfer.h"

/* Copy, starting at byte @skip of the request. @out: to the server (delivery); else from it. */
static __always_inline size_t ubdx_copy_some(struct ubdx_slot *slot, struct iov_iter *iter,
					     size_t skip, size_t bytes, bool out)
{
	return out ? ubdx_payload_copy(slot->rq, skip, bytes, iter, ubdx_to_iter) :
		     ubdx_payload_copy(slot->rq, skip, bytes, iter, ubdx_from_iter);
}

/*
 * Let go of the request, fault the buffer in, and claim the request again. @idle: how many passes
 * before this one, in a row, copied nothing (@in_vain of ubdx_fault_in()). Returns -ENODEV if the
 * request has been aborted meanwhile, or else as ubdx_fault_in().
 */
static int ubdx_copy_fault_in(struct ubdx_server_queue *srvq, struct ubdx_slot *slot,
			      struct iov_iter *iter, bool out, unsigned int idle)
{
	enum ubdx_slot_state from = out ? UBDX_SLOT_QUEUED : UBDX_SLOT_SERVER;
	u32 seq = ubdx_slot_seq(slot);
	unsigned int noio;
	int ret;

	if (!ubdx_slot_pass(srvq, slot, from)) {
		ubdx_abort(slot, !out);
		return -ENODEV;
	}
	noio = memalloc_noio_save(); /* an allocation must not wait for this request */
	ret = ubdx_fault_in(out, iter, iov_iter_count(iter), idle);
	memalloc_noio_restore(noio);
	return ubdx_slot_claim(slot, seq, from) ? ret : -ENODEV;
}

static noinline int ubdx_copy_rest(struct ubdx_server_queue *srvq, struct ubdx_slot *slot,
				   struct iov_iter *iter, size_t done, bool out)
{
	unsigned int idle = 0;
	size_t some;
	int ret;

	do {
		ret = ubdx_copy_fault_in(srvq, slot, iter, out, idle++);
		if (ret)
			return ret == -ENODEV || ret == -ENOMEM ? ret : done;
		some = ubdx_copy_some(slot, iter, done, iov_iter_count(iter), out);
		if (some)
			idle = 0;
		done += some;
	} while (iov_iter_count(iter));
	return done;
}

/*
 * Returns how many of the request's first @bytes were copied, or -ENODEV or -ENOMEM (struct
 * ubdx_xfer_ops).
 */
static __always_inline int ubdx_copy(struct ubdx_server_queue *srvq, struct ubdx_slot *slot,
				     size_t bytes, bool out)
{
	struct iov_iter iter;
	size_t done;

	if (import_ubuf(out ? ITER_DEST : ITER_SOURCE,
			u64_to_user_ptr(srvq->buffers[slot->rq->tag]), bytes, &iter))
		return 0;
	done = ubdx_copy_some(slot, &iter, 0, bytes, out);
	return likely(done == bytes) ? done : ubdx_copy_rest(srvq, slot, &iter, done, out);
}

static int ubdx_copy_out(const struct ubdx_ctx *ctx, struct ubdx_slot *slot)
{
	unsigned int bytes = blk_rq_bytes(slot->rq);
	int ret = ubdx_copy(ctx->srvq, slot, bytes, true);

	return ret < 0 ? ret : ret < bytes ? -EFAULT : 0;
}

static int ubdx_copy_in(const struct ubdx_ctx *ctx, struct ubdx_slot *slot,
			const struct ubdx_answer *answer)
{
	return ubdx_copy(ctx->srvq, slot, answer->res, false);
}

const struct ubdx_xfer_ops ubdx_xfer_copy = {
	.name = "copy",
	.mode = UBDX_XFER_COPY,
	.moves = true,
	.deliver = { [UBDX_OP_WRITE] = ubdx_copy_out },
	.commit = { [UBDX_OP_READ] = ubdx_copy_in },
};
