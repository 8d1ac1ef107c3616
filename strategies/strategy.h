/* SPDX-License-Identifier: MIT OR LGPL-2.1 */
/*
 * strategy.h - the server's half of a transfer mode: how the payload of a request gets to where the
 * target wants it, or from there.
 *
 * A strategy has the name of the driver's mode, and a file of that name. It is chosen for each
 * request, by what its descriptor says; it knows bytes of a request and places to put them, never
 * sectors. To add one: write the file, and enter it in the table in table.c.
 *
 * What belongs to whom while a request is at the server:
 *	io->desc	the driver's, read-only, stable until the commit.
 *	io->buf		the tag's buffer, max_io_bytes long, always there. In mode `copy` it holds
 *			the payload; the other strategies may use it as they like.
 *	io->step	the target's answer; a strategy reads it.
 *	io->done	bytes dealt with; the queue advances it by what move() and resume() return.
 *	q->priv[mode]	the strategy's own, for each queue.
 * Everything of a queue is touched by its thread alone; there are no locks.
 */
#ifndef UBDX_STRATEGY_H
#define UBDX_STRATEGY_H

#include <stdint.h>

#include <ubdx.h>

struct ubdx_io;
struct ubdx_queue;

/* In place of a result: one SQE is under way, made by ubdx_io_sqe(); resume() gets its CQE. */
#define UBDX_ASYNC INT64_MIN

/**
 * struct ubdx_strategy - the server's half of a transfer mode.
 * @name:	as the driver's.
 * @queue_init:	acquire what each queue needs, in its thread, before the first request; may be NULL.
 *		Returns 0 or the result of ubdx_fail(). Not called where no request can have the mode.
 * @queue_exit:	release what of it was acquired, if anything; may be NULL. No request is left.
 * @move:	move payload between @io, from byte io->done on, and the place in io->step
 *		(UBDX_STEP_FILE or UBDX_STEP_MEM). At most io->step.length bytes, of which there are
 *		never more than the request has left.
 * @resume:	go on after an SQE, whose result is @res.
 * @look:	have the first @length bytes of a WRITE's payload in memory, and return where; or NULL.
 *		Before the first move(). For servers that want to look at payloads (touch.c).
 *
 * Of a READ's payload such servers look at what move() and resume() have at hand: each byte of the
 * first io->touch is shown to ubdx_io_seen() before it is counted as moved, in order.
 *
 * move() and resume() return how many bytes were moved; or UBDX_ASYNC; or a negative errno, with
 * which the request fails. Fewer bytes than asked for are fine: the target is asked again for the
 * rest. 0 is not: it would be asked for ever.
 */
struct ubdx_strategy {
	const char *name;
	int (*queue_init)(struct ubdx_queue *q);
	void (*queue_exit)(struct ubdx_queue *q);
	int64_t (*move)(struct ubdx_io *io);
	int64_t (*resume)(struct ubdx_io *io, int res);
	const void *(*look)(struct ubdx_io *io, uint64_t length);
};

/* Indexed by enum ubdx_xfer_mode; NULL where the library has none. */
extern const struct ubdx_strategy *const ubdx_strategies[UBDX_NR_XFER];

extern const struct ubdx_strategy ubdx_strategy_copy;
extern const struct ubdx_strategy ubdx_strategy_user;
extern const struct ubdx_strategy ubdx_strategy_map;
extern const struct ubdx_strategy ubdx_strategy_splice;

/* user.c, for modes in which the server can read and write the payload, too. */
uint64_t ubdx_user_pos(const struct ubdx_io *io);
int64_t ubdx_user_move(struct ubdx_io *io);
int64_t ubdx_user_resume(struct ubdx_io *io, int res);
const void *ubdx_user_look(struct ubdx_io *io, uint64_t length);

#endif /* UBDX_STRATEGY_H */
