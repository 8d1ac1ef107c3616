// SPDX-License-Identifier: GPL-2.0
/*
 * trace.c - emits the trace events. The static key ubdx_traced is on while one of the events is
 * enabled; while it is off, nothing here runs.
 */
#include <linux/blk-mq.h>
#include <linux/jump_label.h>
#include <linux/mm.h>

#include "xfer.h"

#define CREATE_TRACE_POINTS
#include "stage.h"

static_assert(ARRAY_SIZE(((struct ubdx_trace_done *)0)->stamp) == UBDX_NR_STAGES);
static_assert(ARRAY_SIZE(((struct ubdx_trace_done *)0)->moved) == UBDX_NR_MOVED);

DEFINE_STATIC_KEY_FALSE(ubdx_traced);

int ubdx_trace_reg(void)
{
	static_branch_inc(&ubdx_traced);
	return 0;
}

void ubdx_trace_unreg(void)
{
	static_branch_dec(&ubdx_traced);
}

/* Emit ubdx_stage for the request in @slot. Never inlined: tests stop requests here. */
noinline void ubdx_stage_tell(struct ubdx_queue *q, struct ubdx_slot *slot, enum ubdx_stage stage,
			      u64 now)
{
	const struct ubdx_trace_stage event = {
		.dev = q->dev->id,
		.qid = q->qid,
		.tag = slot - q->slots,
		.seq = ubdx_slot_seq(slot),
		.stage = stage,
		.stamp = now,
	};

	trace_ubdx_stage(&event);
}

static u8 ubdx_page_class(struct request *rq)
{
	struct page *page;

	page = req_bvec(rq).bv_page;
	/* newer kernels' PageSlab() knows only a slab's first page */
	if (folio_test_slab(page_folio(page)))
		return UBDX_PAGE_SLAB;
	return PageCompound(page) ? UBDX_PAGE_LARGE : UBDX_PAGE_SMALL;
}

/* Gather the content of ubdx_done while the caller still owns the slot and its request. */
void ubdx_trace_fill(struct ubdx_trace_done *done, struct ubdx_queue *q, struct ubdx_slot *slot,
		     struct ubdx_result result)
{
	u16 tag = slot - q->slots;
	const struct ubdx_stamps *stamps = &q->stamps[tag];
	u32 seq = ubdx_slot_seq(slot);
	unsigned int i;

	done->dev = q->dev->id;
	done->qid = q->qid;
	done->tag = tag;
	done->seq = seq;
	done->op = slot->op;
	done->xfer = slot->xfer->mode;
	done->fallback = slot->fallback;
	done->page_class = ubdx_slot_has_payload(slot) ? ubdx_page_class(slot->rq) : UBDX_PAGE_NONE;
	done->sector = ubdx_sector(slot->rq);
	done->bytes = result.bytes;
	done->error = blk_status_to_errno(result.status);
	if (likely(stamps->seq == seq)) {
		memcpy(done->stamp, stamps->at, sizeof(done->stamp));
		for (i = 0; i < UBDX_NR_MOVED; i++)
			done->moved[i] = atomic_read(&stamps->moved[i]);
	} else {
		memset(done->stamp, 0, sizeof(done->stamp));
		memset(done->moved, 0, sizeof(done->moved));
	}
}

void ubdx_trace_emit(struct ubdx_trace_done *done)
{
	done->stamp[UBDX_T_DONE] = ktime_get_ns();
	trace_ubdx_done(done);
}

/* Emit ubdx_done for all requests of a batch, which have ended together. */
void ubdx_trace_batch(struct ubdx_batch *batch)
{
	u64 now = ktime_get_ns();
	unsigned int i;

	for (i = 0; i < batch->nr_done; i++) {
		batch->done[i].stamp[UBDX_T_DONE] = now;
		trace_ubdx_done(&batch->done[i]);
	}
	batch->nr_done = 0;
}
