/* SPDX-License-Identifier: GPL-2.0 */
/*
 * stage.h - the stamps of a request's stages, which trace events carry.
 *
 * Stamps are ktime_get_ns() (CLOCK_MONOTONIC), taken only while at least one of the driver's events
 * is enabled: otherwise a stage costs one no-op. They are taken inline, with the stage known: seven
 * of them are on a request's way, and a call for each made a quarter of what tracing costs.
 *
 * A tag's stamps belong to its slot's owner. Their seq says which request they are of: tracing can
 * begin while requests are under way, and those must not show what an earlier one left.
 */
#ifndef UBDX_STAGE_H
#define UBDX_STAGE_H

#include <linux/jump_label.h>
#include <linux/timekeeping.h>

#include "trace.h"

DECLARE_STATIC_KEY_FALSE(ubdx_traced);

/* What the pages behind a request are, by its first segment. */
enum ubdx_page_class {
	UBDX_PAGE_NONE, /* no payload */
	UBDX_PAGE_SMALL,
	UBDX_PAGE_LARGE, /* part of a compound page or large folio */
	UBDX_PAGE_SLAB,
};

void ubdx_trace_fill(struct ubdx_trace_done *done, struct ubdx_queue *q, struct ubdx_slot *slot,
		     struct ubdx_result result);
void ubdx_trace_emit(struct ubdx_trace_done *done);
void ubdx_trace_batch(struct ubdx_batch *batch);

void ubdx_stage_tell(struct ubdx_queue *q, struct ubdx_slot *slot, enum ubdx_stage stage, u64 now);

/* Has somebody enabled the event of this stage itself? */
static __always_inline bool ubdx_stage_heard(enum ubdx_stage stage)
{
	switch (stage) {
	case UBDX_T_QUEUE:
		return trace_ubdx_queue_enabled();
	case UBDX_T_PUBLISH:
		return trace_ubdx_publish_enabled();
	case UBDX_T_DELIVER:
		return trace_ubdx_deliver_enabled();
	case UBDX_T_READ:
		return trace_ubdx_read_enabled();
	case UBDX_T_MOVE:
		return trace_ubdx_move_enabled();
	case UBDX_T_COMMIT:
		return trace_ubdx_commit_enabled();
	case UBDX_T_RELEASE:
		return trace_ubdx_release_enabled();
	default:
		return false;
	}
}

static __always_inline void __ubdx_stage(struct ubdx_queue *q, struct ubdx_slot *slot,
					 enum ubdx_stage stage, u64 now)
{
	u16 tag = slot - q->slots;
	struct ubdx_stamps *stamps = &q->stamps[tag];
	u32 seq = ubdx_slot_seq(slot);

	if (stage == UBDX_T_QUEUE) {
		memset(stamps, 0, sizeof(*stamps));
		stamps->seq = seq;
	}
	if (likely(stamps->seq == seq))
		stamps->at[stage] = now;

	if (ubdx_stage_heard(stage))
		ubdx_stage_tell(q, slot, stage, now);
}

/* ns, CLOCK_MONOTONIC, if anybody wants to know. */
static inline u64 ubdx_stage_now(void)
{
	return static_branch_unlikely(&ubdx_traced) ? ktime_get_ns() : 0;
}

/*
 * The request in @slot, owned by the caller, reached @stage at @now, which is of ubdx_stage_now().
 */
static __always_inline void ubdx_stage_then(struct ubdx_queue *q, struct ubdx_slot *slot,
					    enum ubdx_stage stage, u64 now)
{
	if (static_branch_unlikely(&ubdx_traced) && likely(now))
		__ubdx_stage(q, slot, stage, now);
}

/*
 * It is committed now. @read_ns: what the server says it took from T2 to reading the descriptor,
 * T3; 0: it didn't say.
 */
static __always_inline void ubdx_stage_commit(struct ubdx_queue *q, struct ubdx_slot *slot,
					      u32 read_ns)
{
	struct ubdx_stamps *stamps = &q->stamps[slot - q->slots];

	if (likely(read_ns && stamps->seq == ubdx_slot_seq(slot)))
		__ubdx_stage(q, slot, UBDX_T_READ, stamps->at[UBDX_T_DELIVER] + read_ns);
	__ubdx_stage(q, slot, UBDX_T_COMMIT, ktime_get_ns());
}

/* T6, of a request that was committed. If nothing was to be done since then (@took) it is T5. */
static __always_inline void ubdx_stage_released(struct ubdx_queue *q, struct ubdx_slot *slot,
						bool took)
{
	struct ubdx_stamps *stamps = &q->stamps[slot - q->slots];

	if (likely(stamps->seq == ubdx_slot_seq(slot) && stamps->at[UBDX_T_COMMIT]))
		__ubdx_stage(q, slot, UBDX_T_RELEASE,
			     took ? ktime_get_ns() : stamps->at[UBDX_T_COMMIT]);
}

/* Count what was done to a payload. */
static inline void ubdx_count_moved(struct ubdx_slot *slot, enum ubdx_moved what, u32 nr)
{
	struct ubdx_queue *q = slot->q;

	this_cpu_add(q->counts->moved[what], nr);
	if (static_branch_unlikely(&ubdx_traced))
		atomic_add(nr, &q->stamps[slot - q->slots].moved[what]);
}

#endif /* UBDX_STAGE_H */
