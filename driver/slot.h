/* SPDX-License-Identifier: GPL-2.0 */
/*
 * slot.h - the slot of a tag: the request that holds the tag, and who owns that request.
 *
 * One atomic word holds the state, the number of users and the sequence number:
 *
 *	seq << 32 | users << 8 | state
 *
 * A claim is a compare-and-exchange of the word. So a request has one owner at most, and a claim
 * fails if the slot holds another request than the caller means.
 *
 * Users access the request's payload concurrently (access.c): a pread or pwrite, a page fault that
 * fills a window, buffers in a pipe, or a fixed buffer of io_uring. A thread can become a user only
 * in state SERVER; besides, the request's owner can add a user. A request that has users doesn't
 * end: it keeps its pages, and the slot keeps rq and op. Its mode can change once while it has
 * users: a commit that forwards sets xfer before CLAIMED becomes IO. At that time the request isn't
 * mapped, and no user maps it.
 *
 * Threads drop their reference in bounded time: while they are users, they never wait for a fault
 * on the server's memory, nor for memory that only the end of a request would free. Pipe buffers
 * and fixed buffers can stay longer. When the server is aborted, the mode's @revoke drops the
 * references of pipe buffers, and @detach unregisters fixed buffers (xfer.h); xfer_regbuf.c says
 * which fixed buffers stay even then. An abort waits for no user.
 *
 *	from	 to	  by, and when						context
 *	IDLE	 QUEUED	  queue_rq(s): a new request, with the next seq		atomic, RCU
 *	QUEUED	 CLAIMED  the server's task, to deliver; an abort		process
 *	QUEUED	 CLAIMED  queue_rq that finds no parked command: it aborts the
 *			  request						atomic, RCU
 *	CLAIMED	 QUEUED	  the server's task: delivery waits for the server's
 *			  buffer (RCU), or fail_io_timeout drops the request	process
 *	CLAIMED	 CLAIMED  the server's task, delivering: one user more		process
 *	CLAIMED	 SERVER	  the server's task: delivered, or a commit waits for
 *			  the server's buffer or returns -EBUSY			process, RCU
 *	SERVER	 CLAIMED  the server's task, to commit (RCU), or again after a
 *			  page fault; an abort					process
 *	SERVER	 SERVER	  a thread of the server (RCU), or a thread that is a
 *			  user already: one user more				process
 *	any	 same	  a user leaves, but not as the last one of ENDING	process
 *	CLAIMED	 ENDING	  the owner, who finds users; the result is stored	process
 *	ENDING	 CLAIMED  the last user, who then ends the request		process
 *	CLAIMED	 IDLE	  the owner, who ends the request or requeues it	process
 *	CLAIMED	 IDLE	  queue_rq, which aborts the request			atomic, RCU
 *	CLAIMED	 IO	  the server's task, at a commit that forwards		process
 *	IO	 ENDING	  the last part of the I/O, which finds users		any
 *	IO	 IDLE	  the last part of the I/O				any
 *
 * "RCU" is a read-side section in which the caller has seen that the server isn't dead, see
 * ubdx_server_abort().
 */
#ifndef UBDX_SLOT_H
#define UBDX_SLOT_H

#include <linux/atomic.h>
#include <linux/blk_types.h>
#include <linux/jiffies.h>

#include "uapi/ubdx.h"

struct request;
struct ubdx_queue;
struct ubdx_server;
struct ubdx_xfer_ops;

enum ubdx_slot_state {
	/* No request. queue_rq owns the slot as soon as blk-mq has given out the tag. */
	UBDX_SLOT_IDLE,
	/*
	 * Published: on its way to the server's task, or waiting while the server's buffer is
	 * faulted in. The server doesn't know of the request. Nobody owns it, and it can be
	 * claimed. No users.
	 */
	UBDX_SLOT_QUEUED,
	/*
	 * At the server, which has not answered, or whose commit waits for a page fault. Nobody
	 * owns the request, and it can be claimed. Only in this state can a thread become a user.
	 */
	UBDX_SLOT_SERVER,
	/*
	 * The claimant owns the request: the server's task, which delivers or commits; an abort; or
	 * the last user. The owner passes the request on or ends it, in bounded time.
	 */
	UBDX_SLOT_CLAIMED,
	/* The request was to end, but had users. Its result is stored. The last user ends it. */
	UBDX_SLOT_ENDING,
	/*
	 * The driver's own I/O for the request is under way (forward.c). Nobody can claim the
	 * request. The last part of the I/O ends the request, or else its last user does.
	 */
	UBDX_SLOT_IO,
};

/*
 * How a request ends. If status is 0 and bytes is less than the request asked for, the rest becomes
 * a new request.
 */
struct ubdx_result {
	blk_status_t status;
	bool requeue; /* not served: wait for another server */
	bool retry; /* not served, because memory was short: wait a while */
	bool gone; /* aborted: the caller doesn't own the request any more */
	unsigned int bytes;
};

struct ubdx_slot {
	atomic64_t word; /* seq << 32 | users << 8 | state */
	struct ubdx_queue *q; /* never changes */
	struct request *rq;
	const struct ubdx_xfer_ops *xfer; /* set at T0, a fall-back or a forwarding commit */
	struct ubdx_result result; /* while ENDING, and when the driver's own I/O has ended */
	struct ubdx_server *mapped_by; /* the server whose windows map rq's pages, or NULL */
	u32 start; /* jiffies at T0, or at the end of the driver's own I/O (ubdx_end_io()) */
	u16 page_offset; /* for the descriptor; set when the mode is chosen */
	u8 op; /* enum ubdx_op */
	u8 fallback; /* enum ubdx_fallback */
	bool deliver; /* xfer->deliver has something to do; set when the mode is chosen */
	bool lent; /* xfer->recall must take back what xfer->deliver lent; server's task only */
} ____cacheline_aligned_in_smp;

/* Does the request move data between its pages and the server? */
static inline bool ubdx_slot_has_payload(const struct ubdx_slot *slot)
{
	return slot->op <= UBDX_OP_WRITE;
}

/*
 * The jiffies since the request came (T0), or since the driver's own I/O ended. slot->start is read
 * before jiffies: else a new start could be later than jiffies, and the age would be huge.
 */
static inline u32 ubdx_slot_age(const struct ubdx_slot *slot)
{
	u32 start = READ_ONCE(slot->start);

	return (u32)jiffies - start;
}

#define UBDX_SLOT_STATE 0xffULL
#define UBDX_SLOT_USER 0x100ULL
#define UBDX_SLOT_USERS 0xffffff00ULL

/* The word of a slot without users. */
static inline u64 ubdx_slot_word(u32 seq, enum ubdx_slot_state state)
{
	return (u64)seq << 32 | state;
}

static inline u32 ubdx_slot_seq(const struct ubdx_slot *slot)
{
	return atomic64_read(&slot->word) >> 32;
}

static inline enum ubdx_slot_state ubdx_slot_state(const struct ubdx_slot *slot)
{
	return atomic64_read(&slot->word) & UBDX_SLOT_STATE;
}

/*
 * IDLE to QUEUED. The caller has filled in the slot. Release pairs with the acquire in the tick,
 * which reads the state and then the start.
 */
static inline void ubdx_slot_begin(struct ubdx_slot *slot)
{
	atomic64_set_release(&slot->word,
			     ubdx_slot_word(ubdx_slot_seq(slot) + 1, UBDX_SLOT_QUEUED));
}

/**
 * ubdx_slot_claim - become the owner of a request. Users, if it has any, stay.
 * @slot:	slot.
 * @seq:	the request's sequence number.
 * @from:	QUEUED or SERVER.
 *
 * Returns false if the slot holds another request, or if the request is in another state. Of
 * several callers only one succeeds.
 */
static inline bool ubdx_slot_claim(struct ubdx_slot *slot, u32 seq, enum ubdx_slot_state from)
{
	s64 old = ubdx_slot_word(seq, from); /* most requests have no users */

	while (!atomic64_try_cmpxchg(&slot->word, &old, old - from + UBDX_SLOT_CLAIMED))
		if ((u32)(old >> 32) != seq || (old & UBDX_SLOT_STATE) != from)
			return false;
	return true;
}

/* CLAIMED to QUEUED, SERVER or IO; users stay. A full barrier. See ubdx_slot_pass(). */
static inline void ubdx_slot_move(struct ubdx_slot *slot, enum ubdx_slot_state to)
{
	atomic64_fetch_add((s64)to - UBDX_SLOT_CLAIMED, &slot->word);
}

/* CLAIMED or IO to IDLE. The caller still owns the request that is returned, and must end it. */
static __always_inline struct request *ubdx_slot_vacate(struct ubdx_slot *slot)
{
	struct request *rq = slot->rq;

	atomic64_set(&slot->word, ubdx_slot_word(ubdx_slot_seq(slot), UBDX_SLOT_IDLE));
	return rq;
}

/*
 * CLAIMED or IO, as @from says, to ENDING. Returns false if no user is left: the caller still owns
 * the request.
 */
static inline bool ubdx_slot_leave(struct ubdx_slot *slot, enum ubdx_slot_state from)
{
	s64 old = atomic64_read(&slot->word);

	do {
		if (!(old & UBDX_SLOT_USERS)) {
			/* see what the users wrote to the slot; pairs with ubdx_slot_put() */
			smp_acquire__after_ctrl_dep();
			return false;
		}
	} while (!atomic64_try_cmpxchg(&slot->word, &old, old - from + UBDX_SLOT_ENDING));
	return true;
}

/*
 * For the owner: does the request have users? If not, what former users wrote to the slot is
 * visible.
 */
static inline bool ubdx_slot_used(const struct ubdx_slot *slot)
{
	return atomic64_read_acquire(&slot->word) & UBDX_SLOT_USERS;
}

/*
 * Become a user of the request with this number. Returns false if the request isn't at the server,
 * or has too many users.
 */
static inline bool ubdx_slot_get(struct ubdx_slot *slot, u32 seq)
{
	s64 old = ubdx_slot_word(seq, UBDX_SLOT_SERVER);

	while (!atomic64_try_cmpxchg(&slot->word, &old, old + UBDX_SLOT_USER))
		if ((u32)(old >> 32) != seq || (old & UBDX_SLOT_STATE) != UBDX_SLOT_SERVER ||
		    (old & UBDX_SLOT_USERS) == UBDX_SLOT_USERS)
			return false;
	return true;
}

/* For the owner, in state CLAIMED: add a user. */
static inline void ubdx_slot_add_user(struct ubdx_slot *slot)
{
	atomic64_add(UBDX_SLOT_USER, &slot->word);
}

/*
 * Drop a user reference. Returns true for the last user of an ENDING request: the caller now owns
 * the request and must end it.
 */
static inline bool ubdx_slot_put(struct ubdx_slot *slot)
{
	s64 next, old = atomic64_read(&slot->word);
	bool last;

	do {
		next = old - UBDX_SLOT_USER;
		last = (next & (UBDX_SLOT_USERS | UBDX_SLOT_STATE)) == UBDX_SLOT_ENDING;
		if (last)
			next += UBDX_SLOT_CLAIMED - UBDX_SLOT_ENDING;
	} while (!atomic64_try_cmpxchg(&slot->word, &old, next));
	return last;
}

#endif /* UBDX_SLOT_H */
