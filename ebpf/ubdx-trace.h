/* SPDX-License-Identifier: GPL-2.0 */
/*
 * ubdx-trace.h - what the kernel's half of ubdx-trace (ubdx-trace.bpf.c) and its other half share.
 */
#ifndef UBDX_TRACE_H
#define UBDX_TRACE_H

/* The stamps of a request, as in driver/dev.h. */
#define NR_STAMPS 8
enum {
	STAMP_QUEUE,
	STAMP_PUBLISH,
	STAMP_DELIVER,
	STAMP_READ, /* the server's word; after STAMP_MOVE, as a request is delivered with its payload */
	STAMP_MOVE,
	STAMP_COMMIT,
	STAMP_RELEASE,
	STAMP_DONE,
};

/* What was done to a payload, as in driver/dev.h. */
enum trace_moved {
	M_COPIED, /* bytes, through the channel */
	M_SPLICED, /* bytes, into a pipe */
	M_MAPPED, /* pages put into a window */
	M_FAULTS, /* page faults for that */
	M_ZAPS, /* times that pages were taken out; if shared, of the first request */
	NR_MOVED,
};

/* What passes between two stamps. All but the last two add up to the last. */
enum trace_interval {
	I_PUBLISH, /* T0 - T1: prepared, handed to the channel */
	I_DELIVER, /* T1 - T2: until the server's task has it */
	I_MOVE, /* T2 - T4: payload moved or exposed */
	I_SERVE, /* T4 - T5: the server: wake-up, target, strategy, commit */
	I_RELEASE, /* T5 - T6: copied back, unmapped */
	I_END, /* T6 - T7: the block layer ends it */
	I_WAKE, /* T4 - T3: of I_SERVE, until the server has read the descriptor */
	I_TOTAL, /* T0 - T7 */
	NR_INTERVALS,
};

/*
 * Histograms are log-linear: values below 8 have a bucket each, every power of two above has 8. So a
 * percentile is known to 1/8. The last bucket takes what is longer (68 s).
 */
#define HIST_SUB_BITS 3
#define HIST_SUB (1 << HIST_SUB_BITS)
#define HIST_OCTAVES 33
#define NR_BUCKETS (HIST_SUB * (HIST_OCTAVES + 1))

/* Requests that are told apart. */
struct class_key {
	__u8 xfer; /* enum ubdx_xfer_mode */
	__u8 op; /* enum ubdx_op */
	__u8 fallback; /* enum ubdx_fallback */
	__u8 page_class; /* none, small, large, slab */
	__u8 size_log2; /* rounded up; 0: no payload counted in bytes */
	__u8 reserved[3];
};

/* Of one class, on one CPU. */
struct class_stats {
	__u64 count;
	__u64 bytes;
	__u64 errors;
	/* Requests of which a stamp was missing, or earlier than the one before. Their intervals count nowhere. */
	__u64 incomplete;
	__u64 disordered;
	__u64 no_read; /* the server didn't say when it read the descriptor, or said nonsense */
	__u64 moved[NR_MOVED];
	__u64 sum[NR_INTERVALS];
	__u32 hist[NR_INTERVALS][NR_BUCKETS];
};

/* They take their memory beforehand, as it can't always be had where a request ends: 2 MiB a CPU. */
#define MAX_CLASSES 256

/* Whose work it is. */
enum task_role {
	R_OTHER, /* any other program */
	R_SERVER,
	R_SUBMITTER, /* was seen to submit a request, or is COMMAND, or a descendant of such a program */
	R_KERNEL, /* kworkers, ksoftirqd, ... */
	R_SOFTIRQ, /* in softirq, whoever it interrupted */
	R_IDLE,
	NR_ROLES,
};

/* What is counted, anywhere in the system or, with a role in its name, of those tasks. */
enum counted {
	E_REQUEST, /* that ended, of the traced devices; only if some are filtered out */
	E_SWITCH, /* context switches */
	E_SWITCH_SERVER, /* away from the server */
	E_SWITCH_SUBMITTER,
	E_WAKE_SERVER,
	E_WAKE_SUBMITTER,
	E_SYSCALL_SERVER,
	E_SYSCALL_SUBMITTER,
	E_SQE_SERVER,
	E_CQE_SERVER,
	E_IOWQ_SERVER, /* handed to io_uring's workers */
	E_FAULT_SERVER, /* page faults in user mode, or of user addresses */
	E_TLB_LOCAL, /* flushes of the CPU's own TLB, other than by a switch of tasks */
	E_TLB_SENT, /* shootdowns sent to other CPUs */
	E_TLB_RECEIVED,
	E_BLOCK_BIO, /* queued to the traced disks */
	E_BLOCK_SPLIT, /* a bio was too long, and cut in two */
	E_BLOCK_BIO_MERGE, /* a bio was added to a request that there was */
	E_BLOCK_RQ_MERGE, /* two requests became one */
	E_BLOCK_INSERT, /* a request was given to the scheduler, or had to wait */
	E_BLOCK_ISSUE, /* given to the driver */
	E_BLOCK_REQUEUE, /* given back by it */
	E_BLOCK_COMPLETE, /* ended, or a part of it */
	NR_EVENTS,
};

/* On one CPU. */
struct cpu_stats {
	__u64 since; /* when the present role began; 0: not known yet. First, see snapshot.c */
	__u32 role;
	__u32 interrupted; /* role, while in softirq */
	__u64 time[NR_ROLES];
	__u64 events[NR_EVENTS];
};

/* A request's anatomy, for --timeline. */
struct anatomy {
	__u64 stamp[NR_STAMPS];
	unsigned long long sector;
	__u32 bytes;
	__s32 error;
	__s32 dev;
	__u32 seq;
	__u16 queue;
	__u16 tag;
	__u8 op;
	__u8 xfer;
	__u8 fallback;
	__u8 page_class;
};

#endif /* UBDX_TRACE_H */
