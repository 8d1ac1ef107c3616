/* SPDX-License-Identifier: MIT OR LGPL-2.1 */
/*
 * queue.h - one queue of a device, and the library's files that serve it. struct ubdx_queue and
 * struct ubdx_io are in strategy.h.
 *
 * queue.c runs the loop. It calls chan_uring.c for the driver's commands and step.c for the
 * requests. step.c calls the strategies, which make their SQEs by functions of step.c and
 * strategy.h. buffer.c has the tags' buffers, and inspect.c shows payloads to the target.
 *
 * The queue's thread owns the queue from ubdx_queue_init() to ubdx_queue_exit(); no other thread
 * touches it. A tag has at most one SQE under way, from when the SQE is made until its CQE has been
 * handled: a command to the driver while the tag waits for a request, a step's I/O while the tag
 * has one. So neither the SQ nor the CQ can overflow, and there is always a free SQE.
 */
#ifndef UBDX_QUEUE_H
#define UBDX_QUEUE_H

#include "strategy.h"

/**
 * struct ubdx_queue_config - how to set up a queue; see struct ubdx_queue.
 * @xfer_modes:	modes that requests can have, bit 1 << mode.
 * @prefault:	bytes of each buffer to make resident in ubdx_queue_init(), a multiple of the page
 *		size.
 * @cpus:	CPUs on which the kernel's workers for the queue may run.
 * @nr_cpus:	number of @cpus; 0: any CPU.
 */
struct ubdx_queue_config {
	uint16_t id;
	uint16_t depth;
	uint32_t max_io_bytes;
	uint64_t xfer_modes;
	bool may_forward;
	size_t prefault;
	const unsigned int *cpus;
	size_t nr_cpus;
	struct ubdx_target *target;
	int channel;
	const struct ubdx_logger *logger;
};

/* ---- queue.c ---- */

int ubdx_queue_init(struct ubdx_queue *q, const struct ubdx_queue_config *config);
int ubdx_queue_serve(struct ubdx_queue *q);
void ubdx_queue_exit(struct ubdx_queue *q);

/* ---- buffer.c ---- */

int ubdx_bufs_init(struct ubdx_queue *q, size_t prefault);
void ubdx_bufs_exit(struct ubdx_queue *q);
void ubdx_bufs_register(struct ubdx_queue *q, size_t prefault, uint64_t modes);
bool ubdx_io_is_fixed(struct ubdx_io *io, const void *buf, uint32_t length);

/*
 * Mode `regbuf`: the index in the ring's table of fixed buffers at which the driver registers the
 * pages of tag 0's request; the other tags follow. The tags' own buffers have the indices below.
 */
static inline unsigned int ubdx_payload_base(const struct ubdx_queue *q)
{
	return q->depth;
}

/* ---- step.c ---- */

int64_t ubdx_io_begin(struct ubdx_io *io);
int64_t ubdx_io_resume(struct ubdx_io *io, int res);

/* ---- inspect.c ---- */

void ubdx_inspect_begin(struct ubdx_io *io);

/* ---- chan_uring.c ---- */

int ubdx_chan_open(struct ubdx_queue *q);
void ubdx_chan_close(struct ubdx_queue *q);
void ubdx_chan_attach(struct ubdx_queue *q);
void ubdx_chan_fetch_all(struct ubdx_queue *q);
bool ubdx_chan_event(struct ubdx_queue *q, uint16_t tag, int res);
void ubdx_chan_commit(struct ubdx_io *io, int32_t res);
void ubdx_chan_flush(struct ubdx_queue *q);

#endif /* UBDX_QUEUE_H */
