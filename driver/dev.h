/* SPDX-License-Identifier: GPL-2.0 */
/*
 * dev.h - the driver's objects, who owns them and what protects them.
 *
 *   ubdx_dev		one device. Reference counted by its struct device; held by the device table
 *			until DEL, by each disk until its last put, and by each ubdx_server,
 *			ubdx_backing and ubdx_table.
 *   ubdx_queue		one hardware queue of a device; lives as long as the device.
 *   ubdx_slot		one tag of a queue: the request that holds the tag, and its owner.
 *   ubdx_server	one open of /dev/ubdxcN, that is, the process that serves the device.
 *			Reference counted: the open file, dev->srv, and a scheduled abort
 *			hold one each.
 *   ubdx_server_queue	the server's side of one queue: its task, its descriptors, and the commands
 *			that the server has parked. A part of the ubdx_server.
 *
 * slot.h has the rules by which a request's owner changes.
 *
 * ubdx_server_abort() ends a server's service, in three steps:
 *
 *   1. srvq->dead is set, and the abort waits for every queue_rq under way. After that each
 *	queue_rq sees that the server is dead, so nothing is published any more.
 *   2. The abort claims every QUEUED or SERVER request of every queue, and ends the request. If
 *	the request has users, the last user ends it; the abort revokes users that could stay for
 *	long. A request in state IO is left alone: it ends with the driver's own I/O (forward.c).
 *	The abort takes no lock that is held for long.
 *   3. The abort completes parked commands. It doesn't take the rings' uring_lock, which the server
 *	can hold for any time.
 *
 * If the device recovers (recovery.c), step 2 requeues the requests that another server may serve,
 * instead of ending them. They then wait in blk-mq.
 *
 * The server's task checks srvq->dead and changes a slot's state inside one RCU read-side section.
 * Step 1 waits for such sections. So the abort sees the new state; or the task sees that the server
 * is dead, and ends the request that it has claimed. A commit claims inside such a section, too, so
 * a dead server never claims a request of the next server. Delivery, and a commit that has waited
 * for a page fault, can claim outside such a section: they claim by a sequence number that the
 * driver has stored, and no request of the next server has that number.
 *
 * Locks. Each line is a chain, outermost first:
 *	dev->lock, the disk's open_mutex, srv->abort_lock, map->lock
 *	the ring's uring_lock, mmap_lock, the i_mmap_rwsem of srv->mapping
 *	the ring's uring_lock, srvq->lock
 *	a pipe's mutex, srv->span_lock
 *	dev->lock, ubdx_devs_lock, dev->xfer_lock
 *	ubdx_resolvers_lock, map->lock
 * dev->state_lock is a leaf.
 *
 * START, QUIESCE, STOP, DEL and a server's end can hold dev->lock while they wait for I/O, so no
 * path that ends I/O takes this lock. open() of the channel can run under uring_lock. It takes only
 * mmap_lock and state_lock. A request ends in process context, with or without uring_lock, a pipe's
 * mutex and mmap_lock held; unmapping its pages takes i_mmap_rwsem. There are two exceptions: a
 * forwarded request can end in any context, and queue_rq ends a request that it can't publish.
 * Neither is mapped then.
 */
#ifndef UBDX_DEV_H
#define UBDX_DEV_H

#include <linux/blk-mq.h>
#include <linux/blkdev.h>
#include <linux/cdev.h>
#include <linux/kref.h>
#include <linux/mmu_notifier.h>
#include <linux/percpu.h>
#include <linux/sched.h>
#include <linux/workqueue.h>

#include "compat.h"
#include "slot.h"
#include "uapi/ubdx.h"
#include "uapi/ubdx_trace.h"
#include "xfer_list.h"

struct ubdx_answer;
struct ubdx_backing;
struct ubdx_chan_ops;
struct ubdx_ctx;
struct ubdx_map;
struct ubdx_single;

/* Sizes of tables that are indexed by enums of the UAPI. */
#define UBDX_NR_OPS (UBDX_OP_WRITE_ZEROES + 1)
#define UBDX_NR_FALLBACKS (UBDX_FALLBACK_UNALIGNED + 1)
#define UBDX_NR_RECOVERY (UBDX_RECOVERY_REISSUE + 1)
#define UBDX_NR_STAGES (UBDX_T_DONE + 1)
#define UBDX_NR_MOVED (UBDX_MOVED_ZAPS + 1)

/* The stamps of one request of a tag. Written only while a trace event is enabled. */
struct ubdx_stamps {
	u32 seq;
	u64 at[UBDX_NR_STAGES];
	atomic_t moved[UBDX_NR_MOVED]; /* written by any number of threads at once */
};

struct ubdx_counter {
	u64 requests;
	u64 bytes;
};

/*
 * A device's counters, one set for each CPU. Any context may write, by this_cpu_add(). sysfs shows
 * the sum of the sets. All members are u64, because ubdx_counts_sum() adds the sets as arrays of
 * u64.
 */
struct ubdx_counts {
	struct ubdx_counter done[UBDX_NR_XFER][UBDX_NR_OPS];
	u64 failed; /* ended with an error of the server or the driver */
	u64 aborted; /* ended because the server is gone */
	u64 reissued; /* requeued for the next server */
	u64 retried; /* requeued because memory was short */
	u64 moved[UBDX_NR_MOVED];
	u64 fallbacks[UBDX_NR_FALLBACKS]; /* requests that the device's mode couldn't carry */
	u64 hits[2]; /* bios that used an extent, by direction; front.c */
	u64 misses[2]; /* other READs and WRITEs of the front disk */
	u64 punted[2]; /* hits for which a worker reads or writes a file; front_file.c */
	u64 stale; /* misses because the table was replaced during the look-up */
	u64 invalid; /* answers of the resolver that couldn't be used */
	u64 circles; /* misses because so many clones of the bio were in flight */
};

struct ubdx_queue {
	struct ubdx_dev *dev;
	const struct ubdx_chan_ops *chan; /* the device's */
	struct ubdx_server_queue __rcu *srvq; /* set by START, see ubdx_dev_detach() */
	u16 qid;
	u16 depth;
	int node;
	unsigned int block_mask; /* logical block size - 1 */
	const u8 *ops; /* the operations that the device serves, see ubdx_ops */
	struct ubdx_stamps *stamps; /* one a tag */
	struct ubdx_single *singles; /* one a tag, see forward.c; or NULL */
	struct gendisk *front; /* its statistics count the queue's requests, front.c; or NULL */
	struct ubdx_counts __percpu *counts; /* the device's */
	struct ubdx_slot slots[];
};

#define UBDX_BATCH_REQUESTS 32

/* Committed requests that end together, see end.c. Only the queue's task uses the batch. */
struct ubdx_batch {
	struct io_comp_batch iob;
	struct blk_plug_cb plug; /* plug.data: the channel's file while plug is on a list */
	unsigned int nr; /* requests */
	u64 bytes; /* of these requests */
	unsigned int copied; /* bytes that commits have copied since the last batch ended */
	unsigned int nr_done; /* entries of done; less than nr if tracing began later */
	struct ubdx_trace_done done[UBDX_BATCH_REQUESTS];
};

struct ubdx_server_queue {
	struct ubdx_server *srv;
	struct ubdx_queue *q;
	void *chan; /* the channel's state, see struct ubdx_chan_ops.init */
	struct task_struct *task; /* bound by ATTACH; holds a reference */
	void *ring; /* the task's io_uring, for comparison only */
	struct io_uring_cmd *attach_cmd; /* ATTACH's command while it is parked, see chan.c */
	struct io_uring_cmd *attach_taken; /* ATTACH's command after the abort has taken it */
	struct work_struct detach_work;
	bool dead; /* the server has failed; the abort follows */
	unsigned long started; /* jiffies at START; older requests are an earlier server's */
	struct ubdx_desc *desc; /* 2^desc_order pages, which the server maps */
	unsigned int desc_order;
	atomic64_t stale; /* commits refused with -ESTALE */
	spinlock_t lock; /* serialises ATTACH */
	struct ubdx_batch batch ____cacheline_aligned_in_smp;
	u32 buf_base; /* of mode `regbuf`: index of tag 0 in the ring's buffer table */
	unsigned long window[2]; /* addresses in the server's memory, by direction */
	u64 buffers[]; /* of mode `copy`, by tag: addresses in the server's memory */
};

/*
 * After ubdx_server_abort() the server's own calls still use dev, chan, mm, tgid, file and the
 * queues' memory, and find files_closed and map_closed set; its page faults use mapping and blank;
 * pipe buffers use span_lock.
 */
struct ubdx_server {
	struct kref ref;
	struct ubdx_dev *dev;
	const struct ubdx_chan_ops *chan; /* the device's */
	struct mm_struct *mm; /* holds a reference (mmgrab) */
	struct mmu_notifier notifier;
	struct pid *tgid;
	struct file *file; /* the open channel, without a reference: its commands hold it */
	struct address_space mapping; /* of the windows, which are gone before the file is */
	struct page *blank[2]; /* by direction, see xfer_map.c */
	spinlock_t span_lock; /* a leaf */
	struct list_head spans; /* xfer_splice.c */
	struct ubdx_backing __rcu **files; /* backing.c */
	spinlock_t files_lock; /* a leaf */
	bool files_closed;
	bool map_closed; /* extents revoked, none accepted; under map->lock, extents.c */
	struct work_struct abort_work;
	struct mutex abort_lock;
	bool aborted;
	bool bound; /* open() has made this the device's server */
	unsigned long busy; /* jiffies at its open, or at its last try to START */
	bool quits; /* stops its own device by force, see ubdx_server_stop(). READ_ONCE */
	struct ubdx_target_info *target_info; /* the server's until START swaps it; or NULL */
	bool trusted; /* opened with CAP_SYS_ADMIN; see struct ubdx_xfer_ops.trusts, scan.c */
	unsigned int nr_queues;
	struct ubdx_server_queue *queues[] __counted_by(nr_queues);
};

/*
 * The states of a device:
 *
 *	state	  srv	  disk	recovers  quiesced
 *	ADDED	  - or 1  -	-	  -		srv: open, not yet started
 *	LIVE	  1	  yes	0 or 1	  -		recovers: if params.recovery says so and no
 *							stop is under way
 *	QUIESCED  - or 1  yes	1	  1		srv: open, not yet started; recovers: 0 if a
 *							stop is under way
 *	DEAD	  -	  -	0	  -		srv and disk stay until the disk is removed
 *
 * A LIVE device whose server is dead (srvq->dead) is about to become QUIESCED or DEAD:
 * ubdx_server_abort_work() runs, or waits for dev->lock.
 */
struct ubdx_dev {
	struct device device; /* /dev/ubdxcN */
	struct cdev cdev;
	int id;
	const struct ubdx_chan_ops *chan;
	struct mutex lock; /* serialises START, QUIESCE, STOP, DEL, and a server's end */
	spinlock_t state_lock; /* protects the next four */
	enum ubdx_state state;
	struct ubdx_server *srv;
	struct gendisk *disk; /* the visible one, while LIVE or QUIESCED */
	struct ubdx_target_info *target_info; /* of the last server that has set one, or NULL */
	bool closing; /* opens are refused; written under the disk's open_mutex, see stop.c */
	bool stopping; /* to be deleted at the last close; written under open_mutex, too */
	bool scanning; /* the partition scan after START isn't over. READ_ONCE */
	bool recovers; /* requests without a server wait; cleared by STOP. READ_ONCE */
	bool quiesced; /* the driver has quiesced the disk's queue; under dev->lock */
	struct work_struct scan_work;
	struct delayed_work tick; /* while LIVE, see tick.c */
	struct request_queue *queue; /* of the requests; set before the first one, never cleared */
	struct gendisk *back; /* with UBDX_F_EXTENTS: the hidden disk, see front.c; else NULL */
	struct ubdx_map *map; /* with UBDX_F_EXTENTS: extents.c; else NULL */
	/* A failed server's mm, until no process uses it. Holds a reference (mmgrab). */
	struct mm_struct *former;
	struct work_struct close_work; /* holds a reference to the device while it is pending */
	struct blk_mq_tag_set tag_set;
	struct ubdx_params params;

	const struct ubdx_xfer_ops *xfer; /* the mode that new requests take; READ_ONCE */
	spinlock_t xfer_lock; /* protects the next three, and writes of xfer */
	u64 xfer_offered;
	u32 xfer_wanted;
	bool xfer_pinned;

	struct ubdx_queue **queues;
	struct ubdx_counts __percpu *counts;
};

/* The upper bound of each time limit that user space can set. */
#define UBDX_MAX_TIMEOUT_MS (24 * 3600 * 1000)

/* First sector; 0 for a FLUSH, for which the block layer has -1. */
static inline u64 ubdx_sector(const struct request *rq)
{
	return likely(blk_rq_sectors(rq)) ? blk_rq_pos(rq) : 0;
}

/**
 * ubdx_slot_pass - pass a request on, unless its server is dead.
 * @srvq:		queue; the caller is its task.
 * @slot:	slot, claimed by the caller.
 * @to:		SERVER after delivery, while a commit waits for the server's buffer, and after a
 *		commit that is refused (-EBUSY); QUEUED while delivery waits for that buffer.
 *
 * Returns false if the server is dead: the caller still owns the request, and must end it.
 */
static inline bool ubdx_slot_pass(struct ubdx_server_queue *srvq, struct ubdx_slot *slot,
				  enum ubdx_slot_state to)
{
	bool alive;

	rcu_read_lock();
	alive = !READ_ONCE(srvq->dead);
	if (likely(alive))
		ubdx_slot_move(slot, to);
	rcu_read_unlock();
	return alive;
}

/* ---- device.c: life of a device ---- */

/* Aborts and ticks. They must not wait behind work that waits for a server's I/O (ubdx_io_wq). */
extern struct workqueue_struct *ubdx_wq;
/*
 * Work that waits for I/O: partition scans, deletions at the last close, closing registered files.
 * Tables of extents are freed here, too.
 */
extern struct workqueue_struct *ubdx_io_wq;
/*
 * Completions of ATTACH commands. They wait for uring_locks, which servers can hold for any time.
 */
extern struct workqueue_struct *ubdx_detach_wq;

struct ubdx_dev *ubdx_dev_get(int id, bool next);
static inline void ubdx_dev_put(struct ubdx_dev *dev)
{
	put_device(&dev->device);
}
struct ubdx_dev *ubdx_dev_add(struct ubdx_add *add);
int ubdx_dev_start(struct ubdx_dev *dev, u64 xfer_modes);
bool ubdx_dev_unlist(struct ubdx_dev *dev);
void ubdx_dev_forget(struct ubdx_dev *dev);
void ubdx_dev_del_back(struct ubdx_dev *dev);
unsigned int ubdx_dev_count(void);
void ubdx_dev_for_each(void (*fn)(struct ubdx_dev *dev));
int ubdx_dev_init(void);
void ubdx_dev_exit(void);

void ubdx_set_srvq(struct ubdx_dev *dev, struct ubdx_server *srv);
void ubdx_set_state(struct ubdx_dev *dev, enum ubdx_state state, struct ubdx_server *srv,
		    struct gendisk *disk);

/* ---- stop.c: how a block device is removed ---- */

/* How to stop a device: @flags and @timeout_ms of struct ubdx_ctl, and whether to delete it. */
struct ubdx_stop {
	u32 flags;
	u32 timeout_ms;
	bool del;
};

int ubdx_dev_stop(struct ubdx_dev *dev, const struct ubdx_stop *how);
int ubdx_server_stop(struct ubdx_server *srv, const struct ubdx_stop *how);
void ubdx_dev_server_gone(struct ubdx_dev *dev, struct ubdx_server *srv);
int ubdx_disk_open(struct gendisk *disk, blk_mode_t mode);
void ubdx_disk_release(struct gendisk *disk);
void ubdx_close_work(struct work_struct *work);

/* ---- recovery.c: from one server to the next ---- */

void ubdx_dev_detach(struct ubdx_dev *dev);
void ubdx_dev_oust(struct ubdx_dev *dev);
bool ubdx_dev_has_former(struct ubdx_dev *dev);
bool ubdx_dev_forwards(const struct ubdx_dev *dev);
void ubdx_dev_forget_former(struct ubdx_dev *dev);
int ubdx_dev_resume(struct ubdx_dev *dev);
int ubdx_dev_quiesce(struct ubdx_dev *dev);
void ubdx_dev_stop_recovering(struct ubdx_dev *dev);

/* ---- target_info.c: the server's description of its target ---- */

int ubdx_target_info_set(struct ubdx_dev *dev, struct ubdx_target_info *target_info);
void ubdx_target_info_get(struct ubdx_dev *dev, struct ubdx_target_info *out);
void ubdx_target_info_swap(struct ubdx_dev *dev, struct ubdx_server *srv);

/* ---- scan.c: partitions ---- */

void ubdx_scan_init_dev(struct ubdx_dev *dev);
void ubdx_scan_start(struct ubdx_dev *dev);
int ubdx_scan_forbid(struct ubdx_dev *dev);

/* ---- server.c: the process behind /dev/ubdxcN ---- */

extern const struct file_operations ubdx_server_fops;
void ubdx_server_abort(struct ubdx_server *srv);
void ubdx_server_fail(struct ubdx_server *srv);
void ubdx_server_kill(struct ubdx_server *srv);
void ubdx_server_put(struct ubdx_server *srv);

/* ---- tick.c: is the server alive, and in time? ---- */

/*
 * Is the task in do_exit()? Then it never serves again. do_exit() sets PF_POSTCOREDUMP first. It
 * sets PF_EXITING only after it has waited for the task's io_uring.
 */
static inline bool ubdx_task_exits(const struct task_struct *task)
{
	return READ_ONCE(task->flags) & PF_POSTCOREDUMP;
}

bool ubdx_is_late(const struct ubdx_slot *slot);
void ubdx_tick_init_dev(struct ubdx_dev *dev);
void ubdx_tick_start(struct ubdx_dev *dev);
void ubdx_tick_stop(struct ubdx_dev *dev);
int ubdx_tick_init(void);
void ubdx_tick_exit(void);

/* ---- blk.c: the block device ---- */

struct gendisk *ubdx_disk_alloc(struct ubdx_dev *dev);
void ubdx_disk_free(struct gendisk *disk);
int ubdx_disk_set_read_only(struct block_device *bdev, bool ro);
int ubdx_tag_set_init(struct ubdx_dev *dev);

/* ---- end.c: how requests end ---- */

int ubdx_commit(const struct ubdx_ctx *ctx, struct ubdx_slot *slot,
		const struct ubdx_answer *answer, struct io_uring_cmd **place);
void ubdx_end(struct ubdx_slot *slot, struct ubdx_result result);
/* A request for which memory was short is tried again after this time. */
#define UBDX_RETRY_MS 100

blk_status_t ubdx_status(s32 res);
struct ubdx_result ubdx_failed(struct ubdx_slot *slot, s32 res);
void ubdx_finish(struct ubdx_slot *slot, struct ubdx_result result);
void ubdx_abort(struct ubdx_slot *slot, bool delivered);
struct ubdx_result ubdx_served(struct ubdx_slot *slot, unsigned int bytes);
void ubdx_end_io(struct ubdx_slot *slot, struct ubdx_result result);
void ubdx_complete(struct request *rq);
void ubdx_abort_queue(struct ubdx_queue *q);

/* ---- access.c: users of a request ---- */

/* A user of a request, see slot.h. */
struct ubdx_use {
	struct ubdx_slot *slot;
	u32 seq;
	u32 offset; /* bytes into the request */
};

int ubdx_use_find(struct ubdx_server *srv, u64 pos, struct ubdx_use *use);
int ubdx_use_begin(struct ubdx_server *srv, struct ubdx_use *use, u8 op, u8 access);
void ubdx_use_end(struct ubdx_use *use);
ssize_t ubdx_access_read(struct kiocb *iocb, struct iov_iter *to);
ssize_t ubdx_access_write(struct kiocb *iocb, struct iov_iter *from);

/* ---- sysfs.c ---- */

extern const struct attribute_group *ubdx_disk_groups[];

/* ---- module.c: parameters ---- */

extern unsigned int ubdx_max_devices;

/* ---- ctl.c ---- */

long ubdx_chan_ioctl(struct file *file, unsigned int cmd, unsigned long argp);
int ubdx_ctl_init(void);
void ubdx_ctl_exit(void);

#endif /* UBDX_DEV_H */
