/* SPDX-License-Identifier: GPL-2.0 */
/*
 * ubdx-trace.h - shared by the two halves of ubdx-trace: ubdx-trace.bpf.c runs in the kernel, the
 * other files in user space.
 */
#ifndef UBDX_TRACE_H
#define UBDX_TRACE_H

#include "ubdx_trace.h"

#define NR_STAMPS (UBDX_T_DONE + 1)
#define NR_MOVED (UBDX_MOVED_ZAPS + 1)

/* Intervals between stamps. I_TOTAL is the sum of all but I_WAKE. */
enum trace_interval {
	I_PUBLISH, /* T0 - T1: preparation, until the channel has the request */
	I_DELIVER, /* T1 - T2: until the server's task has the request */
	I_MOVE, /* T2 - T4: the payload is copied or mapped */
	I_SERVE, /* T4 - T5: the server: wake-up, target, strategy, commit */
	I_RELEASE, /* T5 - T6: the payload is copied back or unmapped */
	I_END, /* T6 - T7: the block layer ends it */
	I_WAKE, /* T4 - T3: the part of I_SERVE until the server has read the descriptor */
	I_TOTAL, /* T0 - T7 */
	NR_INTERVALS,
};

/*
 * Histograms are log-linear: one bucket per value below 8, then 8 buckets per power of two. So a
 * percentile is exact to 1/8. The last bucket also takes all longer times (over 68 s).
 */
#define HIST_SUB_BITS 3
#define HIST_SUB (1 << HIST_SUB_BITS)
#define HIST_OCTAVES 33
#define NR_BUCKETS (HIST_SUB * (HIST_OCTAVES + 1))

/* A class of requests, with statistics of its own. */
struct class_key {
	__u8 xfer; /* enum ubdx_xfer_mode */
	__u8 op; /* enum ubdx_op */
	__u8 fallback; /* enum ubdx_fallback */
	__u8 page_class; /* enum ubdx_page_class */
	__u8 size_log2; /* of the bytes served, rounded up; 0: none */
	__u8 reserved[3];
};

/* Statistics of a class, on one CPU or on all. */
struct class_stats {
	__u64 count;
	__u64 bytes;
	__u64 errors;
	/*
	 * Requests with a missing stamp, or with stamps out of order: their intervals aren't used.
	 */
	__u64 incomplete;
	__u64 disordered;
	__u64 no_read; /* requests for which the server reported no valid T3 */
	__u64 moved[NR_MOVED];
	__u64 sum[NR_INTERVALS];
	__u32 hist[NR_INTERVALS][NR_BUCKETS];
};

/* The classes are allocated at load time (2 MiB per CPU): later, an allocation could fail. */
#define MAX_CLASSES 256

/* The role of a task. */
enum task_role {
	R_OTHER, /* any other program */
	R_SERVER,
	R_SUBMITTER, /* submitted a request, is COMMAND, or descends from such a process */
	R_KERNEL, /* kworkers, ksoftirqd, ... */
	R_SOFTIRQ, /* a softirq, whatever task it interrupted */
	R_IDLE,
	NR_ROLES,
};

/*
 * Counted events. A name that ends in a role: of the tasks with that role. E_BLOCK_*: of the traced
 * disks. The others, except E_REQUEST: of the whole system.
 */
enum counted {
	E_REQUEST, /* requests of the traced devices that ended; counted only with a filter */
	E_SWITCH, /* context switches */
	E_SWITCH_SERVER, /* away from the server */
	E_SWITCH_SUBMITTER,
	E_WAKE_SERVER,
	E_WAKE_SUBMITTER,
	E_SYSCALL_SERVER,
	E_SYSCALL_SUBMITTER,
	E_SQE_SERVER,
	E_CQE_SERVER,
	E_IOWQ_SERVER, /* SQEs handed to io_uring's workers */
	E_FAULT_SERVER, /* page faults, in user and kernel mode */
	E_TLB_LOCAL, /* flushes of the CPU's own TLB, without task switches */
	E_TLB_SENT, /* shootdowns sent to other CPUs */
	E_TLB_RECEIVED,
	E_BLOCK_BIO, /* a bio was queued to a traced disk */
	E_BLOCK_SPLIT, /* a bio was split */
	E_BLOCK_BIO_MERGE, /* a bio was merged into a request */
	E_BLOCK_RQ_MERGE, /* two requests were merged */
	E_BLOCK_INSERT, /* a request was inserted into the scheduler or a waiting list */
	E_BLOCK_ISSUE, /* a request was issued to the driver */
	E_BLOCK_REQUEUE, /* the driver requeued a request */
	E_BLOCK_COMPLETE, /* a request or a part of it ended */
	NR_EVENTS,
};

/* Counters of one CPU. */
struct cpu_stats {
	__u64 since; /* start of the current role; 0: unknown. Must be first, see snapshot.c */
	__u32 role;
	__u32 interrupted; /* the role that a softirq has interrupted */
	__u64 time[NR_ROLES];
	__u64 events[NR_EVENTS];
};

#endif /* UBDX_TRACE_H */
