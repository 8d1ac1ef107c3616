// SPDX-License-Identifier: GPL-2.0
/*
 * chan_uring.c - the `uring` channel: for each tag the server parks an IORING_OP_URING_CMD, which
 * completes when a request is in the tag's descriptor; COMMIT_AND_FETCH answers and parks again.
 *
 * Delivery is batched through task work. queue_rqs links the tags of the requests that it publishes
 * and schedules one task work for all of them, through the first one's command. The task work runs
 * in the server's task. It moves payload if the mode does so at delivery, and completes the
 * commands. The server sees these completions together. After UBDX_DELIVER_BYTES of payload the
 * task work returns, so that the server sees the requests delivered so far; another task work,
 * through the next tag's command, delivers the rest.
 *
 * A parked command is in tag->cmd. queue_rq owns the tag, so it takes the command with plain
 * accesses. An abort takes the command when no queue_rq runs any more. The abort uses xchg(),
 * because the server's task may be parking the command at that time. queue_rq moves the command to
 * tag->taken, and the task work completes it. The task work always runs, at the latest when the
 * ring goes away. The *request* doesn't wait for that: an abort claims the request, and then the
 * task work's claim fails.
 */
#include <linux/nospec.h>
#include <linux/sched/signal.h>
#include <linux/slab.h>

#include "chan.h"
#include "stage.h"
#include "xfer.h"

/* Payload that one task work moves before the server sees the requests that it has delivered. */
#define UBDX_DELIVER_BYTES SZ_64K

/*
 * How often at most the rest of a delivery is put off, see ubdx_notify_later(). One round of task
 * work runs the same task work fewer times than this, so the round ends before the limit is
 * reached.
 */
#define UBDX_DELIVER_TURNS 32

struct ubdx_uring_tag {
	struct io_uring_cmd *cmd; /* the parked command, or NULL; see above */
	/* valid while the tag's request waits for delivery: */
	struct io_uring_cmd *taken; /* the tag's command */
	struct ubdx_uring_tag *next; /* the tag to deliver after this one */
	u32 seq; /* the request's */
	/* always valid: */
	bool fetched;
};

/* The channel's state of a queue. */
struct ubdx_uring {
	unsigned int nr_fetched; /* tags; written by the queue's task, read by START */
	struct ubdx_uring_tag tags[] ____cacheline_aligned_in_smp;
};

static inline struct ubdx_uring_tag *ubdx_uring_tags(const struct ubdx_server_queue *srvq)
{
	return ((struct ubdx_uring *)srvq->chan)->tags;
}

/* In a command through which task work is scheduled. */
struct ubdx_uring_pdu {
	struct ubdx_server_queue *srvq;
	struct ubdx_uring_tag *first; /* of the list to deliver */
	u32 turns; /* how often delivery can still be put off ... */
	u32 cq_tail; /* ... while the ring's tail has this value */
};

static struct ubdx_uring_pdu *ubdx_pdu(struct io_uring_cmd *cmd)
{
	return io_uring_cmd_to_pdu(cmd, struct ubdx_uring_pdu);
}

/* ---- to the server ---- */

/*
 * Delivery failed. The server never sees the request, and the command is parked again. If the
 * server is dead, the command completes instead.
 */
static void ubdx_deliver_failed(struct ubdx_server_queue *srvq, struct ubdx_uring_tag *t,
				struct ubdx_slot *slot, int error, unsigned int issue_flags)
{
	/* read first: when the request has ended, the tag can be reused */
	struct io_uring_cmd *cmd = t->taken;
	bool aborted = error == -ENODEV;

	if (!aborted && fatal_signal_pending(current)) {
		/* the server is being killed, which may be why delivery failed */
		ubdx_server_fail(srvq->srv);
		ubdx_abort(slot, false);
		aborted = true;
	}
	if (aborted) {
		ubdx_cmd_done(cmd, -ENODEV, issue_flags);
		return;
	}
	ubdx_park(&t->cmd, cmd);
	ubdx_end(slot, ubdx_failed(slot, error));
	ubdx_unpark_if_dead(srvq, &t->cmd, issue_flags);
}

/* fail_io_timeout: drop the request, which will time out. */
static void ubdx_deliver_fake_timeout(struct ubdx_server_queue *srvq, struct ubdx_uring_tag *t,
				      struct ubdx_slot *slot, unsigned int issue_flags)
{
	u32 seq = t->seq;

	ubdx_park(&t->cmd, t->taken);
	ubdx_slot_move(slot, UBDX_SLOT_QUEUED);
	if (unlikely(READ_ONCE(srvq->dead)) && ubdx_slot_claim(slot, seq, UBDX_SLOT_QUEUED))
		ubdx_abort(slot, false);
	ubdx_unpark_if_dead(srvq, &t->cmd, issue_flags);
}

/*
 * Deliver one request, in the server's task. @now: current time, for the stamps; updated if the
 * mode moved payload. Returns the bytes of payload that the mode moved.
 */
static unsigned int ubdx_deliver_one(struct ubdx_ctx *ctx, struct ubdx_uring_tag *t, u64 *now)
{
	struct ubdx_server_queue *srvq = ctx->srvq;
	unsigned int issue_flags = ctx->issue_flags;
	u16 tag = t - ubdx_uring_tags(srvq);
	struct ubdx_slot *slot = &srvq->q->slots[tag];
	u32 seq = t->seq;
	struct io_uring_cmd *cmd = t->taken;
	unsigned int bytes = 0;
	u64 begun = *now;

	if (unlikely(!ubdx_slot_claim(slot, seq, UBDX_SLOT_QUEUED))) {
		ubdx_cmd_done(cmd, -ENODEV, issue_flags);
		return bytes;
	}
	if (unlikely(blk_should_fake_timeout(slot->rq->q))) {
		ubdx_deliver_fake_timeout(srvq, t, slot, issue_flags);
		return bytes;
	}
	ubdx_stage_then(srvq->q, slot, UBDX_T_DELIVER, begun);
	if (slot->deliver) {
		int error;

		bytes = slot->xfer->moves ? blk_rq_bytes(slot->rq) : 0;
		ctx->cmd = cmd;
		error = slot->xfer->deliver[slot->op](ctx, slot);
		*now = ubdx_stage_now();
		if (unlikely(error > 0))
			slot->xfer = ubdx_xfer_fall_back(slot, error);
		if (unlikely(error < 0)) {
			ubdx_deliver_failed(srvq, t, slot, error, issue_flags);
			return bytes;
		}
	}
	ubdx_stage_then(srvq->q, slot, UBDX_T_MOVE, *now);
	/*
	 * The descriptor is written here, because only now the mode is final, and because the
	 * server will read the descriptor on this CPU.
	 */
	ubdx_describe(srvq, slot);
	if (static_branch_unlikely(&ubdx_traced) && likely(begun)) {
		srvq->desc[tag].stamp = begun;
		srvq->desc[tag].flags |= UBDX_DESC_STAMP;
	}

	/* After this a commit or an abort can claim the request, and end it. */
	if (unlikely(!ubdx_slot_pass(srvq, slot, UBDX_SLOT_SERVER))) {
		ctx->cmd = cmd;
		ubdx_xfer_recall(ctx, slot);
		ubdx_abort(slot, false);
		ubdx_cmd_done(cmd, -ENODEV, issue_flags);
		return bytes;
	}
	ubdx_cmd_done(cmd, 0, issue_flags);
	return bytes;
}

/* Abort a request that can't be delivered: the queue's task exits or is being killed. */
static void ubdx_deliver_dead(struct ubdx_server_queue *srvq, struct ubdx_uring_tag *t,
			      unsigned int issue_flags)
{
	struct ubdx_slot *slot = &srvq->q->slots[t - ubdx_uring_tags(srvq)];
	struct io_uring_cmd *cmd = t->taken; /* read first, see ubdx_deliver_failed() */

	if (ubdx_slot_claim(slot, t->seq, UBDX_SLOT_QUEUED))
		ubdx_abort(slot, false);
	ubdx_cmd_done(cmd, -ENODEV, issue_flags);
}

/*
 * Deliver @first and the tags that it is linked to. Returns the first tag that is left for another
 * task work, or NULL.
 */
static struct ubdx_uring_tag *ubdx_deliver_some(struct ubdx_server_queue *srvq,
						struct ubdx_uring_tag *first,
						unsigned int issue_flags)
{
	struct ubdx_ctx ctx = { .srvq = srvq, .issue_flags = issue_flags };
	u64 now = ubdx_stage_now();
	unsigned int bytes = 0;
	struct ubdx_uring_tag *t, *next;

	for (t = first; t && bytes < UBDX_DELIVER_BYTES; t = next) {
		next = t->next;
		bytes += ubdx_deliver_one(&ctx, t, &now);
	}
	return t;
}

static void ubdx_deliver_tw(UBDX_TW_ARGS);

/*
 * Queue task work that calls ubdx_deliver(). Any context.
 *
 * io_uring adds the task work to a list. Only the caller that makes the list long enough wakes the
 * task. If that caller is preempted before it wakes the task, the requests of all other submitters
 * wait, too. So preemption is disabled, except with PREEMPT_RT, where io_uring may take sleeping
 * locks here.
 */
static void ubdx_queue_tw(struct io_uring_cmd *cmd)
{
	if (!IS_ENABLED(CONFIG_PREEMPT_RT))
		preempt_disable();
	io_uring_cmd_complete_in_task(cmd, ubdx_deliver_tw);
	if (!IS_ENABLED(CONFIG_PREEMPT_RT))
		preempt_enable();
}

/* Queue task work that delivers @first and the tags that it is linked to. Any context. */
static void ubdx_notify(struct ubdx_server_queue *srvq, struct ubdx_uring_tag *first)
{
	*ubdx_pdu(first->taken) = (struct ubdx_uring_pdu){ .srvq = srvq, .first = first };
	ubdx_queue_tw(first->taken);
}

/*
 * Called from task work. As ubdx_notify(), but delivery waits until the server can see the requests
 * that were delivered before.
 *
 * io_uring makes completions visible at the end of a round of task work. Newer kernels take task
 * work that is queued meanwhile into the same round. So ubdx_deliver() queues the task work again
 * until the ring's tail has moved, but at most UBDX_DELIVER_TURNS times: the tail may never move,
 * because the ring is full or the server has asked for no completions.
 */
static void ubdx_notify_later(struct ubdx_server_queue *srvq, struct ubdx_uring_tag *first)
{
	*ubdx_pdu(first->taken) = (struct ubdx_uring_pdu){
		.srvq = srvq,
		.first = first,
		.turns = UBDX_DELIVER_TURNS,
		.cq_tail = ubdx_cmd_cq_tail(first->taken),
	};
	ubdx_queue_tw(first->taken);
}

static bool ubdx_deliver_is_early(struct io_uring_cmd *cmd)
{
	struct ubdx_uring_pdu *pdu = ubdx_pdu(cmd);

	if (likely(!pdu->turns) || pdu->cq_tail != ubdx_cmd_cq_tail(cmd))
		return false;
	pdu->turns--;
	return true;
}

static void ubdx_deliver(struct io_uring_cmd *cmd, unsigned int issue_flags, bool cancel)
{
	struct ubdx_server_queue *srvq = ubdx_pdu(cmd)->srvq;
	struct ubdx_uring_tag *t = ubdx_pdu(cmd)->first, *next;

	if (likely(!cancel && current == srvq->task && !ubdx_task_exits(current) &&
		   !fatal_signal_pending(current))) {
		if (unlikely(ubdx_deliver_is_early(cmd))) {
			ubdx_queue_tw(cmd);
			return;
		}
		t = ubdx_deliver_some(srvq, t, issue_flags);
		if (unlikely(t))
			ubdx_notify_later(srvq, t);
		return;
	}
	ubdx_server_fail(srvq->srv);
	for (; t; t = next) {
		next = t->next;
		ubdx_deliver_dead(srvq, t, issue_flags);
	}
}
UBDX_TASK_WORK(ubdx_deliver)

/*
 * The command is taken without xchg(): the caller has seen the server alive, and an abort waits for
 * the caller before it touches a parked command. If no command is parked, ubdx_deliver() has found
 * that the task can't serve any more: it has declared the server dead and completed the command.
 * Then the request is aborted here.
 */
static void ubdx_uring_publish(struct ubdx_server_queue *srvq, struct request *rq)
{
	struct ubdx_uring_tag *first = NULL, **link = &first;
	u64 now = ubdx_stage_now();
	struct request *next;

	for (; rq; rq = next) {
		struct ubdx_slot *slot = &srvq->q->slots[rq->tag];
		struct ubdx_uring_tag *t = &ubdx_uring_tags(srvq)[rq->tag];

		next = rq->rq_next;
		ubdx_stage_then(srvq->q, slot, UBDX_T_PUBLISH, now);
		t->seq = ubdx_slot_seq(slot);
		t->taken = t->cmd;
		t->cmd = NULL;
		if (unlikely(!t->taken)) {
			if (ubdx_slot_claim(slot, t->seq, UBDX_SLOT_QUEUED))
				ubdx_abort(slot, false);
			continue;
		}
		*link = t;
		link = &t->next;
	}
	*link = NULL;
	if (likely(first))
		ubdx_notify(srvq, first);
}

/* ---- from the server ---- */

static noinline int ubdx_uring_fetch(struct ubdx_server *srv, struct io_uring_cmd *cmd,
				     unsigned int issue_flags)
{
	/* Shared with userspace: each field is read once. */
	const struct ubdx_fetch *arg = (const void *)cmd->sqe->cmd;
	u32 reserved = READ_ONCE(arg->reserved);
	u64 addr = READ_ONCE(arg->addr);
	u16 qid = READ_ONCE(arg->qid);
	u16 tag = READ_ONCE(arg->tag);
	struct ubdx_server_queue *srvq = ubdx_chan_queue(srv, qid);
	struct ubdx_uring *uring;
	struct ubdx_uring_tag *t;

	if (!srvq || tag >= srvq->q->depth || reserved)
		return -EINVAL;
	if (!ubdx_is_attached(srvq, cmd))
		return -EPERM;
	uring = srvq->chan;
	t = &uring->tags[array_index_nospec(tag, srvq->q->depth)];
	if (t->fetched)
		return -EBUSY;
	if (READ_ONCE(srvq->dead))
		return -ENODEV;

	t->fetched = true;
	srvq->buffers[t - uring->tags] = addr;
	ubdx_park(&t->cmd, cmd);
	/* pairs with ubdx_uring_ready(): START may follow at once */
	smp_store_release(&uring->nr_fetched, uring->nr_fetched + 1);
	ubdx_unpark_if_dead(srvq, &t->cmd, issue_flags);
	return -EIOCBQUEUED;
}

/* The result of a commit for a request that isn't at the server. */
static noinline int ubdx_uring_stale(struct ubdx_server_queue *srvq)
{
	if (READ_ONCE(srvq->dead))
		return -ENODEV;
	atomic64_inc(&srvq->stale);
	return -ESTALE;
}

/*
 * Read the rest of an answer that forwards the request. The array is read before the request is
 * claimed, because reading it can wait for a page fault.
 */
static noinline int ubdx_uring_forward(struct io_uring_cmd *cmd, struct ubdx_answer *answer)
{
	u32 flags = answer->flags & ((1U << UBDX_COMMIT_FILE_SHIFT) - 1);
	void *extents;

	if (flags & ~(UBDX_COMMIT_MORE | UBDX_COMMIT_FORWARD | UBDX_COMMIT_EXTENTS |
		      UBDX_COMMIT_KEEP | UBDX_COMMIT_KEEP_WRITES) ||
	    !(flags & UBDX_COMMIT_FORWARD) ||
	    (flags & (UBDX_COMMIT_KEEP | UBDX_COMMIT_KEEP_WRITES)) == UBDX_COMMIT_KEEP_WRITES)
		return -EINVAL;
	answer->addr = READ_ONCE(cmd->sqe->addr);
	if (!(flags & UBDX_COMMIT_EXTENTS))
		return 0;
	if (flags != answer->flags || answer->res <= 0 || answer->res > UBDX_MAX_EXTENTS)
		return -EINVAL;
	extents = memdup_array_user(u64_to_user_ptr(answer->addr), answer->res,
				    sizeof(struct ubdx_extent));
	if (IS_ERR(extents))
		return PTR_ERR(extents);
	answer->extents = extents;
	return 0;
}

static int ubdx_uring_commit(struct ubdx_server *srv, struct io_uring_cmd *cmd,
			     unsigned int issue_flags)
{
	/* Shared with userspace: each field is read once. */
	const struct ubdx_commit *arg = (const void *)cmd->sqe->cmd;
	u32 seq = READ_ONCE(arg->seq);
	u16 qid = READ_ONCE(arg->qid);
	u16 tag = READ_ONCE(arg->tag);
	struct ubdx_answer answer = {
		.res = READ_ONCE(arg->res),
		.flags = READ_ONCE(cmd->sqe->len),
	};
	struct ubdx_server_queue *srvq = ubdx_chan_queue(srv, qid);
	const struct ubdx_ctx ctx = { .srvq = srvq, .cmd = cmd, .issue_flags = issue_flags };
	struct ubdx_slot *slot;
	bool claimed;
	int ret;

	if (unlikely(!srvq || tag >= srvq->q->depth))
		return -EINVAL;
	if (unlikely(!ubdx_is_attached(srvq, cmd)))
		return -EPERM;
	if (unlikely(answer.flags & ~UBDX_COMMIT_MORE)) {
		ret = ubdx_uring_forward(cmd, &answer);
		if (ret)
			return ret;
	}
	tag = array_index_nospec(tag, srvq->q->depth);
	slot = &srvq->q->slots[tag];

	/*
	 * A dead server's commit must not count. The server's access to the payload may have been
	 * revoked before it had moved the payload, so the answer may be wrong. And the slot may
	 * hold a request of the next server, see dev.h.
	 */
	rcu_read_lock();
	claimed = !READ_ONCE(srvq->dead) && ubdx_slot_claim(slot, seq, UBDX_SLOT_SERVER);
	rcu_read_unlock();
	if (unlikely(!claimed)) {
		kfree(answer.extents);
		return ubdx_uring_stale(srvq);
	}
	/* This task owns the request, and so the tag: no command of the tag is parked. */
	if (static_branch_unlikely(&ubdx_traced))
		ubdx_stage_commit(srvq->q, slot, READ_ONCE(arg->read_ns));

	ret = ubdx_commit(&ctx, slot, &answer, &ubdx_uring_tags(srvq)[tag].cmd);
	if (unlikely(answer.extents))
		kfree(answer.extents);
	return ret;
}

static int ubdx_uring_cmd(struct ubdx_server *srv, struct io_uring_cmd *cmd,
			  unsigned int issue_flags)
{
	switch (cmd->cmd_op) {
	case UBDX_CMD_COMMIT_AND_FETCH:
		return ubdx_uring_commit(srv, cmd, issue_flags);
	case UBDX_CMD_FETCH:
		return ubdx_uring_fetch(srv, cmd, issue_flags);
	default:
		return -EINVAL;
	}
}

static void ubdx_uring_wake(struct ubdx_server_queue *srvq)
{
	u16 tag;

	for (tag = 0; tag < srvq->q->depth; tag++)
		ubdx_send_back(&ubdx_uring_tags(srvq)[tag].cmd, IO_URING_F_UNLOCKED);
}

/* ---- life ---- */

static int ubdx_uring_init(struct ubdx_server_queue *srvq)
{
	struct ubdx_uring *uring = kvzalloc_node(struct_size(uring, tags, srvq->q->depth),
						 GFP_KERNEL_ACCOUNT, srvq->q->node);

	srvq->chan = uring;
	return uring ? 0 : -ENOMEM;
}

static void ubdx_uring_exit(struct ubdx_server_queue *srvq)
{
	kvfree(srvq->chan);
}

/* Has every tag been fetched? Then a task is attached, too. */
static bool ubdx_uring_ready(const struct ubdx_server_queue *srvq)
{
	const struct ubdx_uring *uring = srvq->chan;

	/* pairs with smp_store_release() in ubdx_uring_fetch() */
	return smp_load_acquire(&uring->nr_fetched) == srvq->q->depth;
}

const struct ubdx_chan_ops ubdx_chan_uring = {
	.init = ubdx_uring_init,
	.exit = ubdx_uring_exit,
	.ready = ubdx_uring_ready,
	.publish = ubdx_uring_publish,
	.uring_cmd = ubdx_uring_cmd,
	.mmap = ubdx_chan_map_desc,
	.wake = ubdx_uring_wake,
};
