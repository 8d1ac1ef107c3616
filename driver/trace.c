// SPDX-License-Identifier: GPL-2.0
/*
 * trace.c - stamps and trace events. All of it is out of the way while nobody listens: the static
 * key ubdx_traced is on as long as one of the events is registered.
 *
 * A tag's stamps belong to its slot's owner. Their seq says which request they are of: tracing can
 * begin while requests are under way, and those must not show what an earlier one left.
 */
#include <linux/blk-mq.h>
#include <linux/jump_label.h>
#include <linux/mm.h>

#include "xfer.h"

#define CREATE_TRACE_POINTS
#include "trace.h"

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

/* The request in @slot, owned by the caller, reached @stage at @now (ns, CLOCK_MONOTONIC). */
void __ubdx_stage(struct ubdx_queue *q, struct ubdx_slot *slot, enum ubdx_stage stage, u64 now)
{
	u16 tag = slot - q->slots;
	struct ubdx_stamps *stamps = &q->stamps[tag];
	u32 seq = ubdx_slot_seq(slot);
	int dev = q->dev->id;

	if (stage == UBDX_T_QUEUE) {
		memset(stamps, 0, sizeof(*stamps));
		stamps->seq = seq;
	}
	if (stamps->seq == seq)
		stamps->at[stage] = now;

	switch (stage) {
	case UBDX_T_QUEUE:
		trace_ubdx_queue(dev, q->qid, tag, seq, now);
		break;
	case UBDX_T_PUBLISH:
		trace_ubdx_publish(dev, q->qid, tag, seq, now);
		break;
	case UBDX_T_DELIVER:
		trace_ubdx_deliver(dev, q->qid, tag, seq, now);
		break;
	case UBDX_T_READ:
		trace_ubdx_read(dev, q->qid, tag, seq, now);
		break;
	case UBDX_T_MOVE:
		trace_ubdx_move(dev, q->qid, tag, seq, now);
		break;
	case UBDX_T_COMMIT:
		trace_ubdx_commit(dev, q->qid, tag, seq, now);
		break;
	case UBDX_T_RELEASE:
		trace_ubdx_release(dev, q->qid, tag, seq, now);
		break;
	default:
		break;
	}
}

/* When it reached it; now, if it did before tracing began. */
u64 ubdx_stage_at(struct ubdx_queue *q, struct ubdx_slot *slot, enum ubdx_stage stage)
{
	struct ubdx_stamps *stamps = &q->stamps[slot - q->slots];

	return stamps->seq == ubdx_slot_seq(slot) ? stamps->at[stage] : ktime_get_ns();
}

/* T3: what the server says it took from T2 to reading the descriptor; 0: it didn't say. */
void ubdx_stage_read(struct ubdx_queue *q, struct ubdx_slot *slot, u32 read_ns)
{
	struct ubdx_stamps *stamps = &q->stamps[slot - q->slots];

	if (read_ns && stamps->seq == ubdx_slot_seq(slot))
		__ubdx_stage(q, slot, UBDX_T_READ, stamps->at[UBDX_T_DELIVER] + read_ns);
}

/* T6, of a request that was committed. */
void ubdx_stage_released(struct ubdx_queue *q, struct ubdx_slot *slot)
{
	struct ubdx_stamps *stamps = &q->stamps[slot - q->slots];

	if (stamps->seq == ubdx_slot_seq(slot) && stamps->at[UBDX_T_COMMIT])
		__ubdx_stage(q, slot, UBDX_T_RELEASE, ktime_get_ns());
}

static u8 ubdx_page_class(struct request *rq)
{
	struct page *page;

	page = req_bvec(rq).bv_page;
	if (PageSlab(page))
		return UBDX_PAGE_SLAB;
	return PageCompound(page) ? UBDX_PAGE_LARGE : UBDX_PAGE_SMALL;
}

/* Gather what ubdx_done says while the caller still owns the slot and its request. */
void ubdx_trace_fill(struct ubdx_trace_done *done, struct ubdx_queue *q, struct ubdx_slot *slot)
{
	u16 tag = slot - q->slots;
	u32 seq = ubdx_slot_seq(slot);

	*done = (struct ubdx_trace_done){
		.dev = q->dev->id,
		.qid = q->qid,
		.tag = tag,
		.seq = seq,
		.op = slot->op,
		.xfer = slot->xfer->mode,
		.fallback = slot->fallback,
		.page_class = ubdx_slot_has_payload(slot) ? ubdx_page_class(slot->rq) :
							    UBDX_PAGE_NONE,
		.sector = blk_rq_pos(slot->rq),
	};
	if (q->stamps[tag].seq == seq) {
		memcpy(done->stamp, q->stamps[tag].at, sizeof(done->stamp));
		memcpy(done->moved, q->stamps[tag].moved, sizeof(done->moved));
	}
}

void ubdx_trace_emit(struct ubdx_trace_done *done, unsigned int bytes, int error)
{
	done->bytes = bytes;
	done->error = error;
	done->stamp[UBDX_T_DONE] = ktime_get_ns();
	trace_ubdx_done(done);
}
