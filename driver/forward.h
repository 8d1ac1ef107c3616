/* SPDX-License-Identifier: GPL-2.0 */
/*
 * forward.h - requests whose I/O the driver does itself, see forward.c.
 */
#ifndef UBDX_FORWARD_H
#define UBDX_FORWARD_H

#include "file_io.h"

struct ubdx_forward;

/* One extent of an answer, and the bytes of the request that belong there. */
struct ubdx_part {
	struct ubdx_forward *forward;
	struct ubdx_backing *backing; /* holds a reference */
	u64 pos;
	unsigned int skip; /* bytes of the request before this part */
	unsigned int bytes;
	union {
		struct bio bio;
		struct ubdx_file_io io; /* if @backing has no block device */
	};
};

/* The I/O of a request for which the tag's struct ubdx_single doesn't suffice. */
struct ubdx_forward {
	struct ubdx_slot *slot;
	atomic_t left; /* parts that have not ended */
	atomic_t bytes; /* served, from the start of the request */
	int error; /* of a part, or 0 */
	unsigned int nr_bvecs;
	unsigned int nr_parts;
	struct bio_vec *bvecs; /* all of the request's */
	struct ubdx_part parts[] __counted_by(nr_parts);
};

/* ---- forward.c ---- */

int ubdx_forward_prepare(const struct ubdx_ctx *ctx, struct ubdx_slot *slot,
			 const struct ubdx_answer *answer, struct ubdx_forward **out);
void ubdx_forward_submit(struct ubdx_slot *slot, struct ubdx_forward *forward);
int ubdx_forward_init_dev(struct ubdx_dev *dev);
void ubdx_forward_exit_queue(struct ubdx_queue *q);

#endif /* UBDX_FORWARD_H */
