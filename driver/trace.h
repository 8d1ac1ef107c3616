/* SPDX-License-Identifier: GPL-2.0 */
/*
 * trace.h - the driver's trace events. They are emitted by stage.h and trace.c.
 *
 * ubdx_done carries everything about one request; an aggregating tracer needs nothing else. The
 * stage events are for timelines.
 *
 * docs/tracing.md says what is in them, and in which units.
 */
#undef TRACE_SYSTEM
#define TRACE_SYSTEM ubdx

#if !defined(UBDX_TRACE_H) || defined(TRACE_HEADER_MULTI_READ)
#define UBDX_TRACE_H

#include <linux/tracepoint.h>

#include "dev.h"

int ubdx_trace_reg(void);
void ubdx_trace_unreg(void);

/* Trace events are laid out as everywhere in the kernel. */
/* clang-format off */

DECLARE_EVENT_CLASS(ubdx_stage,
	TP_PROTO(int dev, u16 qid, u16 tag, u32 seq, u64 stamp),
	TP_ARGS(dev, qid, tag, seq, stamp),
	TP_STRUCT__entry(
		__field(int, dev)
		__field(u16, qid)
		__field(u16, tag)
		__field(u32, seq)
		__field(u64, stamp)
	),
	TP_fast_assign(
		__entry->dev = dev;
		__entry->qid = qid;
		__entry->tag = tag;
		__entry->seq = seq;
		__entry->stamp = stamp;
	),
	TP_printk("dev=%d queue=%u tag=%u seq=%u stamp=%llu",
		  __entry->dev, __entry->qid, __entry->tag, __entry->seq, __entry->stamp)
);

#define UBDX_STAGE_EVENT(name)								\
DEFINE_EVENT_FN(ubdx_stage, name,							\
	TP_PROTO(int dev, u16 qid, u16 tag, u32 seq, u64 stamp),			\
	TP_ARGS(dev, qid, tag, seq, stamp), ubdx_trace_reg, ubdx_trace_unreg)

UBDX_STAGE_EVENT(ubdx_queue);
UBDX_STAGE_EVENT(ubdx_publish);
UBDX_STAGE_EVENT(ubdx_deliver);
UBDX_STAGE_EVENT(ubdx_read);
UBDX_STAGE_EVENT(ubdx_move);
UBDX_STAGE_EVENT(ubdx_commit);
UBDX_STAGE_EVENT(ubdx_release);

/*
 * ubdx_done - a request has ended, or, if bytes is less than it asked for and error is 0, a part of
 * it has and the rest comes back as a new one. A stamp of 0: the stage was not reached, or tracing
 * began later. t3 is what the server says and can be anything.
 */
TRACE_EVENT_FN(ubdx_done,
	TP_PROTO(const struct ubdx_trace_done *done),
	TP_ARGS(done),
	TP_STRUCT__entry(
		__field(int, dev)
		__field(u16, qid)
		__field(u16, tag)
		__field(u32, seq)
		__field(u8, op)
		__field(u8, xfer)
		__field(u8, fallback)
		__field(u8, page_class)
		__field(u64, sector)
		__field(u32, bytes)
		__field(int, error)
		__array(u64, stamp, UBDX_NR_STAGES)
		__array(u32, moved, UBDX_NR_MOVED)
	),
	TP_fast_assign(
		__entry->dev = done->dev;
		__entry->qid = done->qid;
		__entry->tag = done->tag;
		__entry->seq = done->seq;
		__entry->op = done->op;
		__entry->xfer = done->xfer;
		__entry->fallback = done->fallback;
		__entry->page_class = done->page_class;
		__entry->sector = done->sector;
		__entry->bytes = done->bytes;
		__entry->error = done->error;
		memcpy(__entry->stamp, done->stamp, sizeof(done->stamp));
		memcpy(__entry->moved, done->moved, sizeof(done->moved));
	),
	TP_printk("dev=%d queue=%u tag=%u seq=%u op=%u xfer=%u fallback=%u page_class=%u sector=%llu bytes=%u error=%d copied=%u spliced=%u mapped=%u faults=%u zaps=%u t0=%llu t1=%llu t2=%llu t3=%llu t4=%llu t5=%llu t6=%llu t7=%llu",
		  __entry->dev, __entry->qid, __entry->tag, __entry->seq, __entry->op,
		  __entry->xfer, __entry->fallback, __entry->page_class, __entry->sector,
		  __entry->bytes, __entry->error, __entry->moved[UBDX_MOVED_COPIED],
		  __entry->moved[UBDX_MOVED_SPLICED], __entry->moved[UBDX_MOVED_MAPPED],
		  __entry->moved[UBDX_MOVED_FAULTS], __entry->moved[UBDX_MOVED_ZAPS],
		  __entry->stamp[0], __entry->stamp[1], __entry->stamp[2], __entry->stamp[3],
		  __entry->stamp[4], __entry->stamp[5], __entry->stamp[6], __entry->stamp[7]),
	ubdx_trace_reg, ubdx_trace_unreg
);

/* clang-format on */

#endif /* UBDX_TRACE_H */

#undef TRACE_INCLUDE_PATH
#undef TRACE_INCLUDE_FILE
#define TRACE_INCLUDE_PATH .
#define TRACE_INCLUDE_FILE trace
#include <trace/define_trace.h>
