/* SPDX-License-Identifier: (GPL-2.0 WITH Linux-syscall-note) OR MIT */
/*
 * ubdx_trace.h - the fields of the driver's trace events, ubdx_stage and ubdx_done, for BPF
 * programs and other tracers. docs/tracing.md explains the fields.
 *
 * Unlike ubdx.h this isn't a stable interface: each version of the driver can change it.
 *
 * The fields of an event are declared once, in a list macro. The driver's trace.h makes the trace
 * event from the list. This file makes the struct that is passed to the event's probes. A BPF
 * program must include vmlinux.h first.
 */
#ifndef _UAPI_UBDX_TRACE_H
#define _UAPI_UBDX_TRACE_H

#ifndef __VMLINUX_H__
#include <linux/types.h>
#endif

/* The stages of a request's life, see docs/design.md. */
enum ubdx_stage {
	UBDX_T_QUEUE, /* T0: blk-mq has passed the request to the driver */
	UBDX_T_PUBLISH, /* T1: passed to the channel */
	UBDX_T_DELIVER, /* T2: in the server's task */
	UBDX_T_READ, /* T3: the server has read the descriptor: after T4; reported by the commit */
	UBDX_T_MOVE, /* T4: payload moved or exposed */
	UBDX_T_COMMIT, /* T5: commit received */
	UBDX_T_RELEASE, /* T6: payload copied from the server, or unmapped */
	UBDX_T_DONE, /* T7: the request has ended */
};

/* How payloads were moved. Copies of mode copy are not counted here. */
enum ubdx_moved {
	UBDX_MOVED_COPIED, /* bytes copied through the channel */
	UBDX_MOVED_SPLICED, /* bytes put into a pipe */
	UBDX_MOVED_MAPPED, /* pages mapped into a window */
	UBDX_MOVED_FAULTS, /* page faults that mapped them */
	UBDX_MOVED_ZAPS, /* unmappings */
};

/* The kind of page that a request's first segment lies in. */
enum ubdx_page_class {
	UBDX_PAGE_NONE, /* no payload */
	UBDX_PAGE_SMALL,
	UBDX_PAGE_LARGE, /* part of a compound page or large folio */
	UBDX_PAGE_SLAB,
};

/*
 * ubdx_stage - a request has reached a stage. UBDX_T_DONE has an event of its own, ubdx_done.
 *
 * seq is the sequence number in the request's descriptor. stage is an enum ubdx_stage. stamp is
 * CLOCK_MONOTONIC in ns.
 */
#define UBDX_TRACE_STAGE_FIELDS(FIELD, ARRAY) \
	FIELD(__s32, dev)                     \
	FIELD(__u16, qid)                     \
	FIELD(__u16, tag)                     \
	FIELD(__u32, seq)                     \
	FIELD(__u32, stage)                   \
	FIELD(__u64, stamp)

/*
 * ubdx_done - a request has ended. If error is 0 and bytes is less than the request asked for, only
 * the first bytes have ended, and the rest comes back as a new request.
 *
 * op is an enum ubdx_op, xfer an enum ubdx_xfer_mode, fallback an enum ubdx_fallback (0: xfer is
 * the device's mode), page_class an enum ubdx_page_class. stamp is indexed by enum ubdx_stage. A
 * stamp is 0 if the request did not reach the stage, or if tracing began later. moved is indexed by
 * enum ubdx_moved.
 */
#define UBDX_TRACE_DONE_FIELDS(FIELD, ARRAY) \
	FIELD(__s32, dev)                    \
	FIELD(__u16, qid)                    \
	FIELD(__u16, tag)                    \
	FIELD(__u32, seq)                    \
	FIELD(__u8, op)                      \
	FIELD(__u8, xfer)                    \
	FIELD(__u8, fallback)                \
	FIELD(__u8, page_class)              \
	FIELD(__u64, sector)                 \
	FIELD(__u32, bytes)                  \
	FIELD(__s32, error)                  \
	ARRAY(__u64, stamp, 8)               \
	ARRAY(__u32, moved, 5)

#define UBDX_TRACE_FIELD(type, name) type name;
#define UBDX_TRACE_ARRAY(type, name, length) type name[length];

struct ubdx_trace_stage {
	UBDX_TRACE_STAGE_FIELDS(UBDX_TRACE_FIELD, UBDX_TRACE_ARRAY)
};

struct ubdx_trace_done {
	UBDX_TRACE_DONE_FIELDS(UBDX_TRACE_FIELD, UBDX_TRACE_ARRAY)
};

#endif /* _UAPI_UBDX_TRACE_H */
