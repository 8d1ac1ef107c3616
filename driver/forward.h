/* SPDX-License-Identifier: GPL-2.0 */
/*
 * forward.h - requests whose I/O the driver does itself: forward.c; on files that are not block
 * devices with direct I/O, forward_file.c.
 */
#ifndef UBDX_FORWARD_H
#define UBDX_FORWARD_H

#include <linux/bio.h>
#include <linux/fs.h>

#include "backing.h"

struct ubdx_forward;

/* One extent of an answer, and the bytes of the request that belong there. */
struct ubdx_part {
	struct ubdx_forward *forward;
	struct ubdx_backing *backing; /* holds a reference */
	u64 pos;
	unsigned int skip; /* bytes of the request before this part */
	unsigned int bytes;
	bool guarded; /* the file system can't be frozen */
	union {
		struct bio bio;
		struct {
			struct kiocb iocb;
			struct work_struct work;
			atomic_t refs; /* one of the worker, one of the I/O */
			long ret;
		};
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
void ubdx_part_done(struct ubdx_part *part, int error, unsigned int bytes);
int ubdx_forward_init_dev(struct ubdx_dev *dev);
void ubdx_forward_exit_queue(struct ubdx_queue *q);

/* ---- forward_file.c ---- */

bool ubdx_part_guard(struct ubdx_part *part);
void ubdx_part_unguard(struct ubdx_part *part);
void ubdx_part_submit_file(struct ubdx_part *part);

#endif /* UBDX_FORWARD_H */
