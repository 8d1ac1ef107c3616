// SPDX-License-Identifier: GPL-2.0
/*
 * xfer_splice.c - transfer mode `splice`: a WRITE's pages go into a pipe without a copy, and from
 * there to wherever splice(2) can send them. A READ's pages are filled from a pipe with a copy:
 * they belong to the submitter and can't be replaced.
 *
 * One splice puts a *span* into a pipe: pipe buffers with a common struct ubdx_span. The span is a
 * user of the request (slot.h). It also holds the channel's open file, which keeps server, device
 * and module alive. Each pipe buffer holds a reference to its page and one to the span. Buffers can
 * be read, moved to another pipe without a callback, tee'd, or never read. In each case the page
 * isn't freed before the buffer is. A committed request ends when its last buffer is gone.
 *
 * Pipe buffers can stay for any time. When the server is aborted, its spans are revoked: the
 * request ends, and reading such a buffer fails with -EIO. A thread that is reading the buffer at
 * that moment still holds the page, but may see other contents: the submitter can reuse the page.
 *
 * A socket takes pages out of a pipe with a reference of its own, and can send them after the
 * buffer is gone, as with sendfile(2). That is safe for memory, but the data may have changed by
 * then. So a server should wait for the peer's answer before it commits.
 *
 * A slab's page has no reference count that a pipe could use. jbd2 writes copies of some blocks
 * from slab pages. A request with such a page falls back to mode `user`.
 */
#include <linux/bio.h>
#include <linux/blk-mq.h>
#include <linux/file.h>
#include <linux/mm.h>
#include <linux/net.h>
#include <linux/pipe_fs_i.h>
#include <linux/slab.h>
#include <linux/splice.h>

#include "stage.h"
#include "xfer.h"

/*
 * A span is on srv->spans as long as it is a user of the request. The thread that unlinks the span
 * ends that use (ubdx_use_end()).
 */
struct ubdx_span {
	refcount_t ref;
	bool revoked;
	struct list_head list;
	struct ubdx_use use;
	struct file *file;
};

static enum ubdx_fallback ubdx_splice_refuse(struct ubdx_dev *dev, struct ubdx_slot *slot)
{
	struct request *rq = slot->rq;
	struct req_iterator iter;
	struct bio_vec bv;

	/* Pinned user memory is made of pages with a reference count. */
	if (req_op(rq) != REQ_OP_WRITE ||
	    (rq->bio == rq->biotail && bio_flagged(rq->bio, BIO_PAGE_PINNED)))
		return UBDX_FALLBACK_NONE;
	rq_for_each_segment(bv, rq, iter)
		if (!sendpage_ok(bv.bv_page) || ubdx_page_is_kmalloc(bv.bv_page))
			return UBDX_FALLBACK_SLAB;
	return UBDX_FALLBACK_NONE;
}

/* ---- spans ---- */

/*
 * Initialise @span for the request of which the caller is a user. The span becomes another user. So
 * the request stays while the caller walks its pages, even if the span is revoked meanwhile.
 * Returns 0, -ESTALE or -ENODEV.
 */
static int ubdx_span_open(struct ubdx_span *span, struct ubdx_server *srv, struct file *file,
			  const struct ubdx_use *use)
{
	bool dead;

	if (!ubdx_slot_get(use->slot, use->seq))
		return -ESTALE;
	refcount_set(&span->ref, 1);
	span->revoked = false;
	span->use = *use;
	span->file = get_file(file);
	spin_lock(&srv->span_lock);
	dead = READ_ONCE(srv->queues[use->slot->q->qid]->dead);
	if (!dead)
		list_add(&span->list, &srv->spans);
	spin_unlock(&srv->span_lock);
	if (dead) {
		ubdx_use_end(&span->use);
		fput(file);
		return -ENODEV;
	}
	return 0;
}

static void ubdx_span_put(struct ubdx_span *span)
{
	struct file *file = span->file;
	struct ubdx_server *srv = file->private_data;
	bool mine;

	if (!refcount_dec_and_test(&span->ref))
		return;
	spin_lock(&srv->span_lock);
	mine = !span->revoked;
	if (mine)
		list_del(&span->list);
	spin_unlock(&srv->span_lock);
	if (mine)
		ubdx_use_end(&span->use);
	kfree(span);
	/*
	 * Last: the file may hold the last reference to the module. Task work or a worker closes
	 * the file, after this code has returned.
	 */
	fput(file);
}

/* srvq->dead is set, so no new spans come. */
static void ubdx_splice_revoke(struct ubdx_server *srv)
{
	struct ubdx_span *span;
	struct ubdx_use use;

	spin_lock(&srv->span_lock);
	while ((span = list_first_entry_or_null(&srv->spans, struct ubdx_span, list))) {
		list_del(&span->list);
		WRITE_ONCE(span->revoked, true);
		use = span->use;
		spin_unlock(&srv->span_lock);
		/* don't touch the span any more: it may have been freed */
		ubdx_use_end(&use);
		spin_lock(&srv->span_lock);
	}
	spin_unlock(&srv->span_lock);
}

/* ---- buffers ---- */

static int ubdx_buf_confirm(struct pipe_inode_info *pipe, struct pipe_buffer *buf)
{
	struct ubdx_span *span = (void *)buf->private;

	return READ_ONCE(span->revoked) ? -EIO : 0;
}

static void ubdx_buf_release(struct pipe_inode_info *pipe, struct pipe_buffer *buf)
{
	put_page(buf->page);
	ubdx_span_put((void *)buf->private);
}

static bool ubdx_buf_get(struct pipe_inode_info *pipe, struct pipe_buffer *buf)
{
	struct ubdx_span *span = (void *)buf->private;

	if (!try_get_page(buf->page))
		return false;
	refcount_inc(&span->ref);
	return true;
}

static const struct pipe_buf_operations ubdx_buf_ops = {
	.confirm = ubdx_buf_confirm,
	.release = ubdx_buf_release,
	.get = ubdx_buf_get,
};

/* Put bytes @skip to @skip + @len of the request into the pipe, or as many as fit. */
static ssize_t ubdx_splice_pages(struct ubdx_span *span, struct pipe_inode_info *pipe, size_t skip,
				 size_t len)
{
	struct req_iterator iter;
	struct bio_vec bv;
	ssize_t ret = 0, done = 0;

	rq_for_each_segment(bv, span->use.slot->rq, iter) {
		struct pipe_buffer buf = {
			.page = bv.bv_page,
			.ops = &ubdx_buf_ops,
			.private = (unsigned long)span,
		};

		if (skip >= bv.bv_len) {
			skip -= bv.bv_len;
			continue;
		}
		buf.offset = bv.bv_offset + skip;
		buf.len = min(bv.bv_len - skip, len - done);
		skip = 0;
		if (!ubdx_buf_get(pipe, &buf))
			ret = -EFAULT;
		else /* add_to_pipe() releases the buffer if it fails */
			ret = add_to_pipe(pipe, &buf);
		if (ret < 0)
			goto end; /* the macro nests two loops, so break isn't enough */
		done += ret;
		if (done == len)
			goto end;
	}
end:
	return done ?: ret;
}

/*
 * splice(2) or sendfile(2) from the channel to @pipe. The caller holds the pipe's lock, or is the
 * only one who knows the pipe.
 */
ssize_t ubdx_splice_read(struct file *file, loff_t *ppos, struct pipe_inode_info *pipe, size_t len,
			 unsigned int flags)
{
	struct ubdx_server *srv = file->private_data;
	struct ubdx_span *span;
	struct ubdx_use use;
	u32 bytes;
	ssize_t ret;

	/* Allocate before this thread is a user: the allocation may wait until requests end. */
	span = kmalloc(sizeof(*span), GFP_KERNEL_ACCOUNT);
	if (!span)
		return -ENOMEM;
	ret = ubdx_use_find(srv, *ppos, &use);
	if (!ret)
		ret = ubdx_use_begin(srv, &use, UBDX_OP_WRITE, UBDX_ACCESS_SPLICE);
	if (ret)
		goto free;
	bytes = blk_rq_bytes(use.slot->rq);
	if (use.offset < bytes)
		ret = ubdx_span_open(span, srv, file, &use);
	if (ret || use.offset >= bytes) {
		ubdx_use_end(&use);
		goto free;
	}
	ret = ubdx_splice_pages(span, pipe, use.offset, min(len, bytes - use.offset));
	if (ret > 0) {
		*ppos += ret;
		ubdx_count_moved(use.slot, UBDX_MOVED_SPLICED, ret);
	}
	ubdx_span_put(span);
	ubdx_use_end(&use);
	return ret;
free:
	kfree(span);
	return ret;
}

const struct ubdx_xfer_ops ubdx_xfer_splice = {
	.name = "splice",
	.mode = UBDX_XFER_SPLICE,
	.trusts = true,
	.falls_back = true,
	.access = UBDX_ACCESS_BYTES | UBDX_ACCESS_SPLICE,
	.refuse = ubdx_splice_refuse,
	.revoke = ubdx_splice_revoke,
};
