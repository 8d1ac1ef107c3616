/* SPDX-License-Identifier: GPL-2.0 */
/*
 * stage.h - the stamps of a request's stages, which trace events carry.
 *
 * Stamps are ktime_get_ns() (CLOCK_MONOTONIC). They are taken only while one of the driver's events
 * is enabled; otherwise a stage costs one no-op. The code is inline, because each request passes
 * seven stages, and a call for each was a quarter of the cost of tracing.
 *
 * The owner of a tag's request writes the tag's stamps. queue_rq writes those of T0 and T1: the
 * slot is QUEUED then, but nobody can claim the request yet. seq says to which request the stamps
 * belong: tracing can begin while requests are in flight, and these must not show the stamps of an
 * earlier request.
 */
#ifndef UBDX_STAGE_H
#define UBDX_STAGE_H

#include <linux/jump_label.h>
#include <linux/timekeeping.h>

#include "trace.h"

DECLARE_STATIC_KEY_FALSE(ubdx_traced);

void ubdx_trace_fill(struct ubdx_trace_done *done, struct ubdx_queue *q, struct ubdx_slot *slot,
		     struct ubdx_result result);
void ubdx_trace_emit(struct ubdx_trace_done *done);
void ubdx_trace_batch(struct ubdx_batch *batch);

void ubdx_stage_tell(struct ubdx_queue *q, struct ubdx_slot *slot, enum ubdx_stage stage, u64 now);

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

	if (trace_ubdx_stage_enabled())
		ubdx_stage_tell(q, slot, stage, now);
}

/* The time for a stamp; 0 while no event is enabled. */
static inline u64 ubdx_stage_now(void)
{
	return static_branch_unlikely(&ubdx_traced) ? ktime_get_ns() : 0;
}

/*
 * The request in @slot has reached @stage. The caller owns the request, or is queue_rq (T0, T1).
 * @now: from ubdx_stage_now().
 */
static __always_inline void ubdx_stage_then(struct ubdx_queue *q, struct ubdx_slot *slot,
					    enum ubdx_stage stage, u64 now)
{
	if (static_branch_unlikely(&ubdx_traced) && likely(now))
		__ubdx_stage(q, slot, stage, now);
}

/*
 * The server has committed the request. @read_ns: the time from T2 to T3, as the server reports it;
 * 0 if it doesn't. Called only while an event is enabled.
 */
static __always_inline void ubdx_stage_commit(struct ubdx_queue *q, struct ubdx_slot *slot,
					      u32 read_ns)
{
	struct ubdx_stamps *stamps = &q->stamps[slot - q->slots];

	if (likely(read_ns && stamps->seq == ubdx_slot_seq(slot)))
		__ubdx_stage(q, slot, UBDX_T_READ, stamps->at[UBDX_T_DELIVER] + read_ns);
	__ubdx_stage(q, slot, UBDX_T_COMMIT, ktime_get_ns());
}

/*
 * UBDX_T_RELEASE of a committed request. @took: the driver has just copied or unmapped its payload.
 * Otherwise the stage gets the stamp of the commit.
 */
static __always_inline void ubdx_stage_released(struct ubdx_queue *q, struct ubdx_slot *slot,
						bool took)
{
	struct ubdx_stamps *stamps = &q->stamps[slot - q->slots];

	if (likely(stamps->seq == ubdx_slot_seq(slot) && stamps->at[UBDX_T_COMMIT]))
		__ubdx_stage(q, slot, UBDX_T_RELEASE,
			     took ? ktime_get_ns() : stamps->at[UBDX_T_COMMIT]);
}

/* Count what was done to the request's payload. */
static inline void ubdx_count_moved(struct ubdx_slot *slot, enum ubdx_moved what, u32 nr)
{
	struct ubdx_queue *q = slot->q;

	this_cpu_add(q->counts->moved[what], nr);
	if (static_branch_unlikely(&ubdx_traced))
		atomic_add(nr, &q->stamps[slot - q->slots].moved[what]);
}

#endif /* UBDX_STAGE_H */
