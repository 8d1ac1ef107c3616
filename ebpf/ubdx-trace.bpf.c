// SPDX-License-Identifier: GPL-2.0
/*
 * ubdx-trace.bpf.c - the kernel half of ubdx-trace. It turns events into counts, sums and
 * histograms per CPU, which the user half polls. Only --timeline sends records of single requests.
 *
 * Each request runs one program, on_done: the driver's event ubdx_done carries all stamps of the
 * request. While the user half looks for submitters, each stage of a request also runs on_stage.
 */
#include "vmlinux.h"

#include <bpf/bpf_core_read.h>
#include <bpf/bpf_helpers.h>
#include <bpf/bpf_tracing.h>

/* CO-RE finds the offsets of the events' fields in the module's BTF. */
#pragma clang attribute push(__attribute__((preserve_access_index)), apply_to = record)
#include "ubdx_trace.h"
#pragma clang attribute pop

#include "ubdx-trace.h"

char LICENSE[] SEC("license") = "GPL";

#define EEXIST 17
#define PF_KTHREAD 0x00200000

/* ---- configuration, set before loading ---- */

const volatile int only_dev = -1;
/* A disk is traced if its name is equal to disk_name in the bits of disk_mask. */
const volatile __u64 disk_name[2];
const volatile __u64 disk_mask[2];
const volatile __u32 only_ops = ~0;
const volatile __u32 only_modes = ~0;
const volatile __u32 min_bytes;
const volatile __u32 max_bytes = ~0;
const volatile bool filtered; /* by operation, mode or size */
const volatile bool want_timeline;
const volatile bool want_cpu;

__s64 timeline_left;
__u64 timeline_dropped;
__u64 classes_dropped;
__u64 roles_dropped;

/* ---- maps ---- */

/* A class's index in stats. */
struct {
	__uint(type, BPF_MAP_TYPE_HASH);
	__uint(max_entries, MAX_CLASSES);
	__type(key, struct class_key);
	__type(value, u32);
} classes SEC(".maps");

__u32 nr_classes;

struct {
	__uint(type, BPF_MAP_TYPE_PERCPU_ARRAY);
	__uint(max_entries, MAX_CLASSES);
	__type(key, u32);
	__type(value, struct class_stats);
} stats SEC(".maps");

/* Cache of the last lookup: most requests are of the same class as the one before. */
struct latest {
	u64 packed;
	u32 index;
};

struct {
	__uint(type, BPF_MAP_TYPE_PERCPU_ARRAY);
	__uint(max_entries, 1);
	__type(key, u32);
	__type(value, struct latest);
} latest SEC(".maps");

/* Process -> R_SERVER or R_SUBMITTER. */
struct {
	__uint(type, BPF_MAP_TYPE_HASH);
	__uint(max_entries, 4096);
	__type(key, u32);
	__type(value, u32);
} roles SEC(".maps");

struct {
	__uint(type, BPF_MAP_TYPE_PERCPU_ARRAY);
	__uint(max_entries, 1);
	__type(key, u32);
	__type(value, struct cpu_stats);
} cpus SEC(".maps");

struct {
	__uint(type, BPF_MAP_TYPE_RINGBUF);
	__uint(max_entries, 1 << 20);
} timeline SEC(".maps");

/* ---- counting ---- */

static __always_inline struct cpu_stats *this_cpu(void)
{
	u32 zero = 0;

	return bpf_map_lookup_elem(&cpus, &zero);
}

static __always_inline void count(u32 event)
{
	struct cpu_stats *cpu = this_cpu();

	if (cpu && event < NR_EVENTS)
		cpu->events[event]++;
}

/* ---- requests ---- */

#define TIMES2(n) n, n
#define TIMES4(n) TIMES2(n), TIMES2(n)
#define TIMES8(n) TIMES4(n), TIMES4(n)
#define TIMES16(n) TIMES8(n), TIMES8(n)
#define FROM(n, times)                                                                  \
	times(n), times(n + 1), times(n + 2), times(n + 3), times(n + 4), times(n + 5), \
		times(n + 6), times(n + 7)
#define ONCE(n) n

/* The buckets of values below 256, see HIST_SUB. BPF can't count leading zeroes. */
static const __u8 bucket_of_byte[256] = {
	FROM(0, ONCE),	  FROM(8, ONCE),    FROM(16, TIMES2),
	FROM(24, TIMES4), FROM(32, TIMES8), FROM(40, TIMES16),
};

/* Halving a value of 16 or more lowers its bucket by HIST_SUB. */
static __always_inline u32 bucket_of(u64 v)
{
	u32 shift;

	/* the most frequent values first */
	if (v < 1 << 13)
		shift = v < 1 << 8 ? 0 : 5;
	else if (v < 1 << 18)
		shift = 10;
	else if (v < 1 << 23)
		shift = 15;
	else if (v < 1 << 28)
		shift = 20;
	else if (v < 1ULL << 33)
		shift = 25;
	else if (v < 1ULL << 36)
		shift = 30;
	else
		return NR_BUCKETS - 1;
	return bucket_of_byte[(v >> shift) & 255] + shift * HIST_SUB;
}

static __always_inline void add_sample(struct class_stats *stats, u32 interval, u64 value)
{
	u32 bucket = bucket_of(value);

	stats->sum[interval] += value;
	barrier_var(bucket);
	if (bucket < NR_BUCKETS)
		stats->hist[interval][bucket]++;
}

static __always_inline bool in_order(const u64 *t)
{
	return t[UBDX_T_QUEUE] && t[UBDX_T_PUBLISH] >= t[UBDX_T_QUEUE] &&
	       t[UBDX_T_DELIVER] >= t[UBDX_T_PUBLISH] && t[UBDX_T_MOVE] >= t[UBDX_T_DELIVER] &&
	       t[UBDX_T_COMMIT] >= t[UBDX_T_MOVE] && t[UBDX_T_RELEASE] >= t[UBDX_T_COMMIT] &&
	       t[UBDX_T_DONE] >= t[UBDX_T_RELEASE];
}

/* Returns true if the request has all of its stamps, in order. */
static __always_inline bool add_request(struct class_stats *stats, const u64 *t)
{
	if (!in_order(t)) {
		if (t[UBDX_T_QUEUE] && t[UBDX_T_PUBLISH] && t[UBDX_T_DELIVER] && t[UBDX_T_MOVE] &&
		    t[UBDX_T_COMMIT] && t[UBDX_T_RELEASE] && t[UBDX_T_DONE])
			stats->disordered++;
		else
			stats->incomplete++;
		return false;
	}
	add_sample(stats, I_PUBLISH, t[UBDX_T_PUBLISH] - t[UBDX_T_QUEUE]);
	add_sample(stats, I_DELIVER, t[UBDX_T_DELIVER] - t[UBDX_T_PUBLISH]);
	add_sample(stats, I_MOVE, t[UBDX_T_MOVE] - t[UBDX_T_DELIVER]);
	add_sample(stats, I_SERVE, t[UBDX_T_COMMIT] - t[UBDX_T_MOVE]);
	add_sample(stats, I_RELEASE, t[UBDX_T_RELEASE] - t[UBDX_T_COMMIT]);
	add_sample(stats, I_END, t[UBDX_T_DONE] - t[UBDX_T_RELEASE]);
	add_sample(stats, I_TOTAL, t[UBDX_T_DONE] - t[UBDX_T_QUEUE]);
	if (t[UBDX_T_READ] >= t[UBDX_T_MOVE] && t[UBDX_T_READ] <= t[UBDX_T_COMMIT])
		add_sample(stats, I_WAKE, t[UBDX_T_READ] - t[UBDX_T_MOVE]);
	else
		stats->no_read++;
	return true;
}

static __always_inline void send_to_timeline(const struct ubdx_trace_done *done)
{
	struct ubdx_trace_done *a;

	if (timeline_left <= 0)
		return;
	if (__sync_fetch_and_add(&timeline_left, -1) <= 0) {
		__sync_fetch_and_add(&timeline_left, 1);
		return;
	}
	a = bpf_ringbuf_reserve(&timeline, sizeof(*a), 0);
	if (!a) {
		/* the buffer is full: a later request takes its place in the timeline */
		__sync_fetch_and_add(&timeline_left, 1);
		__sync_fetch_and_add(&timeline_dropped, 1);
		return;
	}
	bpf_probe_read_kernel(a, sizeof(*a), done);
	bpf_ringbuf_submit(a, 0);
}

/*
 * The index of a class, or MAX_CLASSES if none is free. @packed: the class's key and the bytes
 * served, as packed by class_of(). Not inlined: few requests need it.
 */
static __noinline u32 index_of(u64 packed)
{
	u32 bytes = packed, left, *index, next;
	struct class_key key = {
		.xfer = packed >> 32,
		.op = packed >> 40,
		.fallback = packed >> 48,
		.page_class = packed >> 56,
	};

	/* rounded up; 1 for one byte */
	for (left = bytes > 1 ? bytes - 1 : bytes; left; left >>= 1)
		key.size_log2++;
	index = bpf_map_lookup_elem(&classes, &key);
	if (index)
		return *index;
	next = __sync_fetch_and_add(&nr_classes, 1);
	if (next >= MAX_CLASSES)
		return MAX_CLASSES;
	bpf_map_update_elem(&classes, &key, &next, BPF_NOEXIST);
	/* if another CPU has added the class first, this index stays unused */
	index = bpf_map_lookup_elem(&classes, &key);
	return index ? *index : MAX_CLASSES;
}

static __always_inline struct class_stats *class_of(const struct ubdx_trace_done *done)
{
	u64 packed = (u64)done->page_class << 56 | (u64)done->fallback << 48 | (u64)done->op << 40 |
		     (u64)done->xfer << 32 | done->bytes;
	u32 zero = 0;
	struct latest *last = bpf_map_lookup_elem(&latest, &zero);

	if (!last)
		return NULL;
	/* the cache starts as zeroes, so a request that packs to 0 is always looked up */
	if (last->packed != packed || !packed) {
		last->packed = packed;
		last->index = index_of(packed);
	}
	return bpf_map_lookup_elem(&stats, &last->index);
}

SEC("tp_btf/ubdx_done")
int BPF_PROG(on_done, const struct ubdx_trace_done *done)
{
	struct class_stats *class;
	u32 op, mode, bytes;
	u64 t[NR_STAMPS];

	/* can't happen; newer verifiers require the check */
	if (!done)
		return 0;
	op = done->op;
	mode = done->xfer;
	bytes = done->bytes;
	if (only_dev >= 0 && done->dev != only_dev)
		return 0;
	if (filtered)
		count(E_REQUEST);
	if (!(only_ops & (1U << (op & 31))) || !(only_modes & (1U << (mode & 31))))
		return 0;
	if (bytes < min_bytes || bytes > max_bytes)
		return 0;

	class = class_of(done);
	if (!class) {
		__sync_fetch_and_add(&classes_dropped, 1);
		return 0;
	}
	for (int i = 0; i < NR_STAMPS; i++)
		t[i] = done->stamp[i];
	class->count++;
	class->bytes += bytes;
	if (done->error)
		class->errors++;
	/* in mode copy all of moved is 0: the driver copies every byte */
	if (mode)
		for (int i = 0; i < NR_MOVED; i++)
			class->moved[i] += done->moved[i];
	if (add_request(class, t) && want_timeline)
		send_to_timeline(done);
	return 0;
}

/* ---- roles of tasks ---- */

static __always_inline u32 role_of_process(u32 tgid)
{
	u32 *role = bpf_map_lookup_elem(&roles, &tgid);

	return role ? *role : R_OTHER;
}

static __always_inline u32 role_of(const struct task_struct *task)
{
	u32 flags = task->flags;

	if (!task->pid)
		return R_IDLE;
	if (flags & PF_KTHREAD)
		return R_KERNEL;
	return role_of_process(task->tgid);
}

static __always_inline u32 role_of_current(void)
{
	return role_of_process(bpf_get_current_pid_tgid() >> 32);
}

/* Charge the time until now to the current role; @role begins. */
static __always_inline void change_role(struct cpu_stats *cpu, u32 role)
{
	u64 now = bpf_ktime_get_ns();
	u32 was = cpu->role;

	if (cpu->since && was < NR_ROLES)
		cpu->time[was] += now - cpu->since;
	cpu->since = now;
	cpu->role = role;
}

/* ---- submitters: tasks seen at a request's first stage, and their children ---- */

static __always_inline int add_submitter(u32 tgid)
{
	u32 role = R_SUBMITTER;
	int ret = bpf_map_update_elem(&roles, &tgid, &role, BPF_NOEXIST);

	if (ret && ret != -EEXIST)
		__sync_fetch_and_add(&roles_dropped, 1);
	return ret;
}

SEC("tp_btf/ubdx_stage")
int BPF_PROG(on_stage, const struct ubdx_trace_stage *at)
{
	struct cpu_stats *cpu = this_cpu();
	u32 tgid = bpf_get_current_pid_tgid() >> 32;

	if (!at || at->stage != UBDX_T_QUEUE || (only_dev >= 0 && at->dev != only_dev))
		return 0;
	if (!cpu || !tgid || (bpf_get_current_task_btf()->flags & PF_KTHREAD))
		return 0;
	/*
	 * In a softirq, current is the interrupted task, not the submitter. Without the set `cpu`
	 * this program can't tell that a softirq runs, and the interrupted task becomes a
	 * submitter.
	 */
	if (want_cpu && cpu->role == R_SOFTIRQ)
		return 0;
	if (!add_submitter(tgid) && want_cpu && cpu->role == R_OTHER)
		change_role(cpu, R_SUBMITTER);
	return 0;
}

SEC("tp_btf/sched_process_fork")
int BPF_PROG(on_fork, struct task_struct *parent, struct task_struct *child)
{
	if (child->tgid != parent->tgid && role_of_process(parent->tgid) == R_SUBMITTER)
		add_submitter(child->tgid);
	return 0;
}

/* Forget a process that is gone: the kernel may reuse its ID. */
SEC("tp_btf/sched_process_free")
int BPF_PROG(on_free, struct task_struct *task)
{
	u32 tgid = task->tgid;

	if (task->pid == task->tgid)
		bpf_map_delete_elem(&roles, &tgid);
	return 0;
}

/* ---- CPU time by role ---- */

SEC("tp_btf/sched_switch")
int BPF_PROG(on_switch, bool preempt, struct task_struct *prev, struct task_struct *next)
{
	struct cpu_stats *cpu = this_cpu();
	u32 role;

	if (!cpu)
		return 0;
	cpu->events[E_SWITCH]++;
	/*
	 * cpu->role saves looking up @prev. But a softirq can't switch tasks: if the role is
	 * R_SOFTIRQ, the event for its end was missed.
	 */
	role = want_cpu && cpu->since && cpu->role != R_SOFTIRQ ? cpu->role : role_of(prev);
	if (role == R_SERVER)
		cpu->events[E_SWITCH_SERVER]++;
	else if (role == R_SUBMITTER)
		cpu->events[E_SWITCH_SUBMITTER]++;
	if (want_cpu)
		change_role(cpu, role_of(next));
	return 0;
}

/* Run once on every CPU when tracing begins: the current task's role is the CPU's first. */
SEC("raw_tp")
int on_begin(void *ctx)
{
	struct cpu_stats *cpu = this_cpu();

	if (cpu && !cpu->since)
		change_role(cpu, role_of(bpf_get_current_task_btf()));
	return 0;
}

SEC("tp_btf/softirq_entry")
int BPF_PROG(on_softirq, unsigned int vector)
{
	struct cpu_stats *cpu = this_cpu();

	if (cpu) {
		cpu->interrupted = cpu->since ? cpu->role : role_of(bpf_get_current_task_btf());
		change_role(cpu, R_SOFTIRQ);
	}
	return 0;
}

SEC("tp_btf/softirq_exit")
int BPF_PROG(on_softirq_end, unsigned int vector)
{
	struct cpu_stats *cpu = this_cpu();

	/* The first event seen can be the end of a softirq. */
	if (cpu && cpu->role == R_SOFTIRQ)
		change_role(cpu, cpu->interrupted);
	return 0;
}

/* ---- events ---- */

SEC("tp_btf/sched_wakeup")
int BPF_PROG(on_wakeup, struct task_struct *task)
{
	u32 role = role_of(task);

	if (role == R_SERVER)
		count(E_WAKE_SERVER);
	else if (role == R_SUBMITTER)
		count(E_WAKE_SUBMITTER);
	return 0;
}

SEC("tp_btf/sys_enter")
int BPF_PROG(on_syscall)
{
	u32 role = role_of_current();

	if (role == R_SERVER)
		count(E_SYSCALL_SERVER);
	else if (role == R_SUBMITTER)
		count(E_SYSCALL_SUBMITTER);
	return 0;
}

static __always_inline int count_server(u32 event)
{
	if (role_of_current() == R_SERVER)
		count(event);
	return 0;
}

SEC("tp_btf/io_uring_submit_req")
int BPF_PROG(on_sqe)
{
	return count_server(E_SQE_SERVER);
}

SEC("tp_btf/io_uring_complete")
int BPF_PROG(on_cqe)
{
	return count_server(E_CQE_SERVER);
}

SEC("tp_btf/io_uring_queue_async_work")
int BPF_PROG(on_iowq)
{
	return count_server(E_IOWQ_SERVER);
}

SEC("tp_btf/page_fault_user")
int BPF_PROG(on_fault)
{
	return count_server(E_FAULT_SERVER);
}

/*
 * A fault in kernel mode, almost always on a user address: a copy to or from memory that isn't
 * mapped yet.
 */
SEC("tp_btf/page_fault_kernel")
int BPF_PROG(on_kernel_fault)
{
	return count_server(E_FAULT_SERVER);
}

SEC("tp_btf/tlb_flush")
int BPF_PROG(on_tlb_flush, int reason)
{
	if (reason == TLB_REMOTE_SHOOTDOWN)
		count(E_TLB_RECEIVED);
	else if (reason == TLB_REMOTE_SEND_IPI)
		count(E_TLB_SENT);
	else if (reason == TLB_LOCAL_SHOOTDOWN || reason == TLB_LOCAL_MM_SHOOTDOWN)
		count(E_TLB_LOCAL);
	return 0;
}

/* ---- events of the block layer, for the traced disks ---- */

static __always_inline int count_disk(const struct gendisk *disk, u32 event)
{
	u64 name[2];

	if (bpf_probe_read_kernel(name, sizeof(name), &disk->disk_name))
		return 0;
	if (((name[0] ^ disk_name[0]) & disk_mask[0]) || ((name[1] ^ disk_name[1]) & disk_mask[1]))
		return 0;
	count(event);
	return 0;
}

SEC("tp_btf/block_bio_queue")
int BPF_PROG(on_bio, struct bio *bio)
{
	return count_disk(bio->bi_bdev->bd_disk, E_BLOCK_BIO);
}

SEC("tp_btf/block_split")
int BPF_PROG(on_split, struct bio *bio)
{
	return count_disk(bio->bi_bdev->bd_disk, E_BLOCK_SPLIT);
}

SEC("tp_btf/block_bio_backmerge")
int BPF_PROG(on_backmerge, struct bio *bio)
{
	return count_disk(bio->bi_bdev->bd_disk, E_BLOCK_BIO_MERGE);
}

SEC("tp_btf/block_bio_frontmerge")
int BPF_PROG(on_frontmerge, struct bio *bio)
{
	return count_disk(bio->bi_bdev->bd_disk, E_BLOCK_BIO_MERGE);
}

SEC("tp_btf/block_rq_merge")
int BPF_PROG(on_rq_merge, struct request *rq)
{
	return count_disk(rq->q->disk, E_BLOCK_RQ_MERGE);
}

SEC("tp_btf/block_rq_insert")
int BPF_PROG(on_insert, struct request *rq)
{
	return count_disk(rq->q->disk, E_BLOCK_INSERT);
}

SEC("tp_btf/block_rq_issue")
int BPF_PROG(on_issue, struct request *rq)
{
	return count_disk(rq->q->disk, E_BLOCK_ISSUE);
}

SEC("tp_btf/block_rq_requeue")
int BPF_PROG(on_requeue, struct request *rq)
{
	return count_disk(rq->q->disk, E_BLOCK_REQUEUE);
}

SEC("tp_btf/block_rq_complete")
int BPF_PROG(on_complete, struct request *rq)
{
	return count_disk(rq->q->disk, E_BLOCK_COMPLETE);
}
