/* SPDX-License-Identifier: GPL-2.0 */
/*
 * trace.h - the driver's trace events. uapi/ubdx_trace.h has their fields, docs/tracing.md explains
 * them. stage.h takes the stamps, trace.c emits the events.
 *
 * ubdx_done carries all stamps of one request, so a tracer that aggregates needs no other event.
 * ubdx_stage is for timelines.
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

TRACE_DEFINE_ENUM(UBDX_T_QUEUE);
TRACE_DEFINE_ENUM(UBDX_T_PUBLISH);
TRACE_DEFINE_ENUM(UBDX_T_DELIVER);
TRACE_DEFINE_ENUM(UBDX_T_READ);
TRACE_DEFINE_ENUM(UBDX_T_MOVE);
TRACE_DEFINE_ENUM(UBDX_T_COMMIT);
TRACE_DEFINE_ENUM(UBDX_T_RELEASE);

#define UBDX_ASSIGN_FIELD(type, name) __entry->name = from->name;
#define UBDX_ASSIGN_ARRAY(type, name, length) memcpy(__entry->name, from->name, sizeof(from->name));

TRACE_EVENT_FN(ubdx_stage,
	TP_PROTO(const struct ubdx_trace_stage *from),
	TP_ARGS(from),
	TP_STRUCT__entry(UBDX_TRACE_STAGE_FIELDS(__field, __array)),
	TP_fast_assign(UBDX_TRACE_STAGE_FIELDS(UBDX_ASSIGN_FIELD, UBDX_ASSIGN_ARRAY)),
	TP_printk("dev=%d queue=%u tag=%u seq=%u stage=%s stamp=%llu",
		  __entry->dev, __entry->qid, __entry->tag, __entry->seq,
		  __print_symbolic(__entry->stage,
				   { UBDX_T_QUEUE, "queue" },
				   { UBDX_T_PUBLISH, "publish" },
				   { UBDX_T_DELIVER, "deliver" },
				   { UBDX_T_READ, "read" },
				   { UBDX_T_MOVE, "move" },
				   { UBDX_T_COMMIT, "commit" },
				   { UBDX_T_RELEASE, "release" }),
		  __entry->stamp),
	ubdx_trace_reg, ubdx_trace_unreg
);

TRACE_EVENT_FN(ubdx_done,
	TP_PROTO(const struct ubdx_trace_done *from),
	TP_ARGS(from),
	TP_STRUCT__entry(UBDX_TRACE_DONE_FIELDS(__field, __array)),
	TP_fast_assign(UBDX_TRACE_DONE_FIELDS(UBDX_ASSIGN_FIELD, UBDX_ASSIGN_ARRAY)),
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
