// SPDX-License-Identifier: MIT OR LGPL-2.1
/*
 * buffer.c - the buffers of a queue's tags: their memory, and its registration with the ring. The
 * queue's thread owns all of it.
 */
#include <errno.h>
#include <string.h>
#include <sys/mman.h>
#include <syslog.h>
#include <unistd.h>

#include "queue.h"

#ifndef MADV_POPULATE_WRITE /* older headers lack it */
#define MADV_POPULATE_WRITE 23
#endif

static size_t ubdx_bufs_bytes(const struct ubdx_queue *q)
{
	return q->depth * q->stride;
}

/**
 * ubdx_bufs_init() - allocate the buffers of all tags.
 * @prefault: bytes of each buffer to make resident now. The caller is the queue's thread, so this
 *	memory is on that thread's NUMA node. The rest is allocated when it is first written.
 *
 * All buffers are in one area. They are a page further apart than necessary. If the distance were a
 * power of two, the starts of all buffers would compete for the same few sets of the caches, and
 * small requests use nothing but the starts.
 */
int ubdx_bufs_init(struct ubdx_queue *q, size_t prefault)
{
	size_t page = sysconf(_SC_PAGESIZE);
	uint16_t tag;
	void *bufs;

	q->stride = ubdx_round_up(q->max_io_bytes, page) + page;
	bufs = mmap(NULL, ubdx_bufs_bytes(q), PROT_READ | PROT_WRITE,
		    MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE, -1, 0);
	if (bufs == MAP_FAILED)
		return ubdx_fail(-errno, "queue %u: %zu MiB for its buffers: %m", q->id,
				 ubdx_bufs_bytes(q) >> 20);
	q->bufs = bufs;
	/* A forked child must not cause copies of pages that the kernel has pinned. */
	madvise(q->bufs, ubdx_bufs_bytes(q), MADV_DONTFORK);
	/* A huge page would make all the buffers that it spans resident as a whole. */
	if (prefault < q->max_io_bytes)
		madvise(q->bufs, ubdx_bufs_bytes(q), MADV_NOHUGEPAGE);

	for (tag = 0; tag < q->depth; tag++) {
		q->ios[tag].buf = q->bufs + tag * q->stride;
		if (prefault && madvise(q->ios[tag].buf, prefault, MADV_POPULATE_WRITE))
			return ubdx_fail(-errno, "queue %u: memory for its buffers: %m", q->id);
	}
	return 0;
}

/**
 * ubdx_bufs_exit() - free the buffers, if there are any.
 */
void ubdx_bufs_exit(struct ubdx_queue *q)
{
	if (q->bufs)
		munmap(q->bufs, ubdx_bufs_bytes(q));
}

/* A buffer's registered part grows in powers of two from here, so it grows only a few times. */
#define UBDX_FIXED_BYTES_MIN (64U << 10)

/*
 * Register at least the first @bytes of the tag's buffer with the ring, so that I/O need not pin
 * the pages each time. Registration also makes the pages resident, so without prefaulting a part is
 * registered only when a request first needs it. Without registration I/O works at a higher cost.
 */
static bool ubdx_buf_register(struct ubdx_io *io, uint64_t bytes)
{
	struct ubdx_queue *q = io->q;
	uint64_t fixed = UBDX_FIXED_BYTES_MIN;
	struct iovec iov;
	__u64 resource_tag = 0;
	int ret;

	if (!q->may_register || bytes > q->max_io_bytes)
		return false;
	while (fixed < bytes)
		fixed *= 2;
	if (fixed > q->max_io_bytes)
		fixed = q->max_io_bytes;
	iov = (struct iovec){ .iov_base = io->buf, .iov_len = fixed };
	ret = io_uring_register_buffers_update_tag(&q->ring, io->tag, &iov, &resource_tag, 1);
	if (ret != 1) {
		ubdx_log(q->logger, LOG_WARNING,
			 "queue %u: registering a buffer: %s; serving without registered buffers",
			 q->id, strerror(-ret));
		q->may_register = false;
		return false;
	}
	io->fixed_bytes = fixed;
	return true;
}

/**
 * ubdx_io_is_fixed() - whether (@buf, @length) is registered with the ring, as buffer number
 * io->tag. Memory in the tag's buffer is registered first, if that is possible.
 */
bool ubdx_io_is_fixed(struct ubdx_io *io, const void *buf, uint32_t length)
{
	uint64_t start = (uintptr_t)buf - (uintptr_t)io->buf;

	/* For memory before the buffer, @start is a huge number, which is refused below. */
	if (likely(start < io->fixed_bytes && length <= io->fixed_bytes - start))
		return true;
	return start < UINT64_MAX - length && ubdx_buf_register(io, start + length);
}

/**
 * ubdx_bufs_register() - prepare the ring for registered buffers, and register at least the
 * resident parts.
 * @modes: modes that requests can have, bit 1 << mode.
 */
void ubdx_bufs_register(struct ubdx_queue *q, size_t prefault, uint64_t modes)
{
	bool payloads = modes >> UBDX_XFER_REGBUF & 1;
	uint16_t tag;

	/* A target without files does no I/O. */
	if (!q->target->nr_files && !payloads)
		return;
	/* If this fails there is no table, and requests in mode `regbuf` fall back to `user`. */
	if (io_uring_register_buffers_sparse(&q->ring, ubdx_payload_base(q) + payloads * q->depth))
		return;
	q->may_register = q->target->nr_files;
	for (tag = 0; prefault && q->may_register && tag < q->depth; tag++)
		ubdx_buf_register(&q->ios[tag], prefault);
}
