// SPDX-License-Identifier: GPL-2.0
/*
 * xfer_copy.c - transfer mode `copy`: the payload is copied between the request's pages and the
 * buffer that the server named for the tag when it fetched. The baseline.
 *
 * Both copies run in the server's task, so its memory is the current address space, and nothing is
 * pinned. The request's pages are the block layer's until the request ends, which the slot's owner
 * (that is us, here) decides. A buffer that isn't accessible makes the copy short.
 *
 * _copy_to_iter() and _copy_from_iter(), not the checked forms: a journal's pages come from slab
 * caches without a usercopy region, and hardened usercopy would refuse them.
 */
#include <linux/sched/mm.h>
#include <linux/uio.h>

#include "xfer.h"

#ifdef CONFIG_HIGHMEM
#error "a multi-page bvec must be contiguous in the kernel's address space"
#endif

static __always_inline size_t ubdx_copy(struct ubdx_server_queue *sq, struct ubdx_slot *slot,
					size_t len, unsigned int direction,
					size_t (*copy)(void *addr, size_t bytes,
						       struct iov_iter *i))
{
	struct request *rq = slot->rq;
	struct req_iterator rq_iter;
	struct iov_iter iter;
	unsigned int noio;
	struct bio_vec bv;
	size_t done = 0;

	if (import_ubuf(direction, u64_to_user_ptr(sq->tags[rq->tag].addr), len, &iter))
		return 0;

	/* Should the server's memory have to be made, this must not wait for a request, such as this one. */
	noio = memalloc_noio_save();
	/*
	 * Without high memory the pages of a multi-page bvec are contiguous in the kernel's address
	 * space too, so one copy does for all of them.
	 */
	rq_for_each_bvec(bv, rq, rq_iter) {
		size_t want = min_t(size_t, bv.bv_len, len - done);
		size_t got = copy(bvec_virt(&bv), want, &iter);

		done += got;
		if (got < want || done == len)
			goto end; /* these are two loops, one in the other */
	}
end:
	memalloc_noio_restore(noio);
	return done;
}

static size_t ubdx_to_iter(void *addr, size_t bytes, struct iov_iter *i)
{
	return _copy_to_iter(addr, bytes, i);
}

static size_t ubdx_from_iter(void *addr, size_t bytes, struct iov_iter *i)
{
	return _copy_from_iter(addr, bytes, i);
}

/* Apart from the two below, whose other half has nothing to do. */
static noinline int ubdx_copy_out(struct ubdx_server_queue *sq, struct ubdx_slot *slot)
{
	unsigned int bytes = blk_rq_bytes(slot->rq);

	return ubdx_copy(sq, slot, bytes, ITER_DEST, ubdx_to_iter) < bytes ? -EFAULT : 0;
}

static noinline int ubdx_copy_in(struct ubdx_server_queue *sq, struct ubdx_slot *slot,
				 unsigned int bytes)
{
	return ubdx_copy(sq, slot, bytes, ITER_SOURCE, ubdx_from_iter);
}

static int ubdx_copy_deliver(struct ubdx_server_queue *sq, struct ubdx_slot *slot)
{
	return slot->op == UBDX_OP_WRITE ? ubdx_copy_out(sq, slot) : 0;
}

static int ubdx_copy_commit(struct ubdx_server_queue *sq, struct ubdx_slot *slot,
			    unsigned int bytes)
{
	return slot->op == UBDX_OP_READ ? ubdx_copy_in(sq, slot, bytes) : bytes;
}

const struct ubdx_xfer_ops ubdx_xfer_copy = {
	.name = "copy",
	.mode = UBDX_XFER_COPY,
	.deliver = ubdx_copy_deliver,
	.commit = ubdx_copy_commit,
	.commit_copies = true,
};
