// SPDX-License-Identifier: GPL-2.0
/*
 * fuzz_command.c - what the fuzzer's servers put on their rings: the commands of a good server,
 * wrong answers of every kind, commands from tasks that have no right to send them, and operations
 * that a channel doesn't have.
 */
#define _GNU_SOURCE
#include <errno.h>
#include <limits.h>
#include <poll.h>
#include <string.h>

#include "fuzz_server.h"

/* ---- rings ---- */

static const unsigned int ring_flags[] = {
	IORING_SETUP_SINGLE_ISSUER | IORING_SETUP_DEFER_TASKRUN,
	IORING_SETUP_SINGLE_ISSUER | IORING_SETUP_DEFER_TASKRUN,
	IORING_SETUP_SINGLE_ISSUER | IORING_SETUP_DEFER_TASKRUN | IORING_SETUP_SQE128,
	IORING_SETUP_SINGLE_ISSUER | IORING_SETUP_COOP_TASKRUN,
	IORING_SETUP_COOP_TASKRUN | IORING_SETUP_TASKRUN_FLAG | IORING_SETUP_CQE32,
	IORING_SETUP_SUBMIT_ALL,
	IORING_SETUP_SQPOLL,
	IORING_SETUP_IOPOLL,
	0,
};

void fuzz_ring_start(struct queue *q, struct rng *rng)
{
	unsigned int entries = q->depth < 64 ? q->depth * 2 + 8 : 128;
	struct io_uring_params params = {
		/* an unusual ring only now and then, because few devices can be served with one */
		.flags = ring_flags[rng_below(rng, 3) ? 0 : rng_below(rng, ARRAY_SIZE(ring_flags))],
		.sq_thread_idle = 1, /* otherwise SQPOLL threads would use all of the CPU time */
	};

	q->has_ring = !io_uring_queue_init_params(entries, &q->ring, &params);
}

void fuzz_ring_end(struct queue *q)
{
	if (q->has_ring)
		io_uring_queue_exit(&q->ring);
	q->has_ring = false;
	q->nr_held = 0;
}

/* ---- the commands of a good server ---- */

struct io_uring_sqe *fuzz_sqe(struct queue *q)
{
	struct io_uring_sqe *sqe = q->has_ring ? io_uring_get_sqe(&q->ring) : NULL;

	if (!sqe && q->has_ring) {
		io_uring_submit(&q->ring);
		sqe = io_uring_get_sqe(&q->ring);
	}
	if (sqe)
		memset(sqe, 0, sizeof(*sqe));
	return sqe;
}

/* An SQE for the queue, or NULL if there is no ring, or the ring is full. */
static struct io_uring_sqe *command(struct queue *q, unsigned int op, unsigned int tag)
{
	struct io_uring_sqe *sqe = fuzz_sqe(q);

	if (!sqe)
		return NULL;
	sqe->opcode = IORING_OP_URING_CMD;
	sqe->fd = q->s->chan;
	sqe->cmd_op = op;
	sqe->user_data = tag;
	return sqe;
}

void fuzz_attach(struct queue *q, unsigned int qid)
{
	struct io_uring_sqe *sqe = command(q, UBDX_CMD_ATTACH, NO_TAG);

	if (sqe)
		((struct ubdx_attach *)sqe->cmd)->qid = qid;
}

void fuzz_fetch(struct queue *q, unsigned int qid, unsigned int tag, uint64_t addr)
{
	struct io_uring_sqe *sqe = command(q, UBDX_CMD_FETCH, tag);

	if (sqe)
		*(struct ubdx_fetch *)sqe->cmd =
			(struct ubdx_fetch){ .qid = qid, .tag = tag, .addr = addr };
}

struct io_uring_sqe *fuzz_commit(struct queue *q, struct ubdx_commit commit)
{
	struct io_uring_sqe *sqe = command(q, UBDX_CMD_COMMIT_AND_FETCH, commit.tag);

	if (sqe)
		*(struct ubdx_commit *)sqe->cmd = commit;
	return sqe;
}

/* Submit, wait a moment, and note which tags have arrived. */
void fuzz_reap(struct queue *q, unsigned int ms)
{
	struct __kernel_timespec soon = { .tv_nsec = ms * 1000000L };
	struct io_uring_cqe *cqe;
	unsigned int head, nr = 0;
	int ret;

	/* without a ring a server that doesn't wait would use all of the CPU */
	if (!q->has_ring) {
		poll(NULL, 0, ms);
		return;
	}
	ret = io_uring_submit_and_wait_timeout(&q->ring, &cqe, 1, &soon, NULL);
	if (ret < 0 && ret != -ETIME)
		poll(NULL, 0, ms);
	io_uring_for_each_cqe(&q->ring, head, cqe)
	{
		nr++;
		if (cqe->user_data == MUST_FAIL && cqe->res > 0)
			broken("io_uring read from or wrote to a channel: %d", cqe->res);
		if (cqe->res == -ENODEV)
			q->s->gone = true;
		else if (cqe->user_data >= q->depth || cqe->res)
			q->nr_answers++;
		if (cqe->user_data == ACCESS && cqe->res > 0)
			q->nr_reached++;
		if (cqe->user_data < q->depth && cqe->res == 0 && q->nr_held < MAX_HELD)
			q->held[q->nr_held++] = cqe->user_data;
	}
	io_uring_cq_advance(&q->ring, nr);
}

/* Submit something that must be refused: the step worked if the kernel answers it. */
void fuzz_try(struct actor *a, struct queue *q, unsigned int ms)
{
	unsigned int before = q->nr_answers;

	fuzz_reap(q, ms);
	if (q->nr_answers != before)
		worked(a);
}

/* Answer as a good server would. Without descriptors it has to guess. */
struct ubdx_commit fuzz_right(struct queue *q, unsigned int tag)
{
	struct ubdx_commit commit = { .qid = q->qid, .tag = tag };

	if (q->desc) {
		struct ubdx_desc desc = q->desc[tag];

		commit.seq = desc.seq;
		if (desc.op <= UBDX_OP_WRITE)
			commit.res = desc.nr_sectors << 9;
	}
	return commit;
}

unsigned int fuzz_serve(struct queue *q)
{
	unsigned int i, nr = q->nr_held;

	for (i = 0; i < nr; i++) {
		if (q->desc && rng_below(&q->rng, 4) == 0)
			fuzz_reach(q, q->held[i], &q->rng);
		fuzz_commit(q, fuzz_right(q, q->held[i]));
	}
	q->nr_held = 0;
	return nr;
}

/* ---- answers ---- */

void act_serve(struct actor *a)
{
	struct queue *q = fuzz_some_queue(a);
	unsigned int n, rounds = 1 + below(a, 20), served = 0;

	for (n = 0; q && n < rounds; n++) {
		unsigned int now;

		fuzz_reap(q, 2);
		now = fuzz_serve(q);
		if (!now)
			break;
		served += now;
	}
	args(a, "%u", served);
	if (served)
		worked(a);
}

/*
 * One answer that is wrong in one way, and then usually the right one, so that the device stays
 * alive.
 */
void act_commit(struct actor *a)
{
	static const int32_t results[] = {
		0,	 1,	      511,  512,     513,	 4096,	   INT_MAX,
		INT_MIN, INT_MIN + 1, -EIO, -EAGAIN, -1,	 -4095,	   -4096,
		-ENOSPC, -EINTR,      -512, -529,    -ETIMEDOUT, -ENOTSUP, -EREMOTEIO,
	};
	struct queue *q = fuzz_some_queue(a);
	struct ubdx_commit commit, good;
	struct io_uring_sqe *sqe;
	unsigned int how = below(a, 10);

	if (!q)
		return;
	fuzz_reap(q, 2);
	if (q->nr_held)
		worked(a);
	good = commit = fuzz_right(q, q->nr_held ? q->held[--q->nr_held] : below(a, q->depth));
	args(a, "%u: tag %u seq %u", how, commit.tag, commit.seq);
	switch (how) {
	case 0:
		commit.seq += below(a, 2) ? -1 : 1;
		break;
	case 1:
		commit.seq = edge(a);
		break;
	case 2:
		commit.tag = edge(a);
		break;
	case 3:
		commit.qid = edge(a);
		break;
	case 4:
		commit.read_ns = edge(a);
		fuzz_commit(q, commit);
		break; /* the same commit is sent again below */
	case 5:
	case 6:
		commit.res = PICK(a, results);
		break;
	case 7:
		commit.res = edge(a);
		break;
	default:
		break;
	}
	sqe = fuzz_commit(q, commit);
	if (sqe && how == 8)
		sqe->len = edge(a);
	if (sqe && how == 9)
		sqe->flags = 1 << below(a, 8);
	if (chance(a, 85))
		fuzz_commit(q, good);
	fuzz_reap(q, 0);
}

/* Every commit says that more follows, and for a while nothing follows. */
void act_more(struct actor *a)
{
	struct queue *q = fuzz_some_queue(a);

	if (!q)
		return;
	fuzz_reap(q, 2);
	args(a, "%u", q->nr_held);
	while (q->nr_held) {
		struct io_uring_sqe *sqe = fuzz_commit(q, fuzz_right(q, q->held[--q->nr_held]));

		if (sqe)
			sqe->len = UBDX_COMMIT_MORE;
		worked(a);
	}
	fuzz_reap(q, 0);
	if (chance(a, 30))
		poll(NULL, 0, 50);
}

/* ---- commands that nobody expects ---- */

void act_attach(struct actor *a)
{
	struct queue *q = fuzz_some_queue(a);
	unsigned int qid = chance(a, 70) ? below(a, MAX_QUEUES) : edge(a);

	args(a, "queue %u", qid);
	if (!q)
		return;
	fuzz_attach(q, qid);
	fuzz_try(a, q, 0);
}

void act_fetch(struct actor *a)
{
	struct queue *q = fuzz_some_queue(a);
	unsigned int tag;

	if (!q)
		return;
	tag = chance(a, 70) ? below(a, q->depth) : edge(a);
	args(a, "tag %u", tag);
	fuzz_fetch(q, chance(a, 80) ? q->qid : edge(a), tag, edge(a));
	fuzz_try(a, q, 0);
}

/* Random bits in all fields, on the channel or on another file. */
void act_sqe(struct actor *a)
{
	static const unsigned int ops[] = { UBDX_CMD_ATTACH, UBDX_CMD_FETCH,
					    UBDX_CMD_COMMIT_AND_FETCH, UBDX_IOC_ADD, UBDX_IOC_DEL };
	struct queue *q = fuzz_some_queue(a);
	struct io_uring_sqe *sqe;
	unsigned int i, n = 1 + below(a, 4);

	for (i = 0; q && i < n; i++) {
		sqe = command(q, chance(a, 80) ? PICK(a, ops) : edge(a), NO_TAG);
		if (!sqe)
			return;
		((uint64_t *)sqe->cmd)[0] = edge(a);
		((uint64_t *)sqe->cmd)[1] = edge(a);
		sqe->flags = below(a, 3) ? 0 : below(a, 256) & ~IOSQE_FIXED_FILE;
		if (chance(a, 20))
			sqe->len = edge(a);
		if (chance(a, 20))
			sqe->rw_flags = edge(a);
		if (chance(a, 20))
			sqe->ioprio = edge(a);
		if (chance(a, 10))
			sqe->fd = below(a, 16);
		args(a, "op %x flags %x; ", sqe->cmd_op, sqe->flags);
	}
	if (q)
		fuzz_try(a, q, 1);
}

/* Other operations on the channel, which is a file without data. */
void act_opcode(struct actor *a)
{
	static const unsigned char opcodes[] = {
		IORING_OP_TEE,	     IORING_OP_POLL_ADD,     IORING_OP_FSYNC,
		IORING_OP_FALLOCATE, IORING_OP_FADVISE,	     IORING_OP_SYNC_FILE_RANGE,
		IORING_OP_MSG_RING,  IORING_OP_FTRUNCATE,    IORING_OP_FGETXATTR,
		IORING_OP_RECV,	     IORING_OP_FILES_UPDATE,
	};
	struct queue *q = fuzz_some_queue(a);
	struct io_uring_sqe *sqe = q ? fuzz_sqe(q) : NULL;

	if (!sqe)
		return;
	sqe->opcode = PICK(a, opcodes);
	sqe->fd = q->s->chan;
	sqe->addr = fuzz_buffer(q, 0, 50, &a->rng);
	sqe->off = edge(a);
	sqe->len = below(a, 65536);
	sqe->user_data = MUST_FAIL;
	if (chance(a, 30))
		sqe->flags = IOSQE_ASYNC;
	args(a, "opcode %u off %llx", sqe->opcode, sqe->off);
	if (sqe->opcode == IORING_OP_POLL_ADD) /* can succeed: the result is the poll mask */
		sqe->user_data = NO_TAG;
	fuzz_try(a, q, 1);
}

void act_cancel(struct actor *a)
{
	struct queue *q = fuzz_some_queue(a);
	struct io_uring_sqe *sqe = q ? fuzz_sqe(q) : NULL;

	if (!sqe)
		return;
	io_uring_prep_cancel64(sqe, chance(a, 50) ? NO_TAG : below(a, q->depth),
			       chance(a, 50) ? IORING_ASYNC_CANCEL_ALL :
					       below(a, 2) * IORING_ASYNC_CANCEL_ANY);
	if (chance(a, 30))
		io_uring_prep_cancel_fd(sqe, q->s->chan, IORING_ASYNC_CANCEL_ALL);
	sqe->user_data = NO_TAG;
	args(a, "flags %x", sqe->cancel_flags);
	fuzz_try(a, q, 1);
}

/* Well-formed commands from a ring that isn't attached, and perhaps from another thread. */
static void *stranger_main(void *arg)
{
	struct queue *q = arg;
	unsigned int i, n = 1 + rng_below(&q->rng, 8);

	fuzz_ring_start(q, &q->rng);
	for (i = 0; i < n; i++) {
		unsigned int tag = rng_below(&q->rng, q->depth);

		switch (rng_below(&q->rng, 3)) {
		case 0:
			fuzz_attach(q, q->qid);
			break;
		case 1:
			fuzz_fetch(q, q->qid, tag, 0);
			break;
		default:
			fuzz_commit(q, fuzz_right(q, tag));
			break;
		}
	}
	fuzz_reap(q, 1);
	fuzz_ring_end(q);
	return NULL;
}

void act_stranger(struct actor *a)
{
	struct queue *q = fuzz_some_queue(a);
	bool thread = chance(a, 50);
	struct queue x;
	pthread_t id;

	if (!q)
		return;
	x = (struct queue){ .s = q->s, .qid = q->qid, .depth = q->depth, .desc = q->desc };
	x.rng.state = rng_next(&a->rng);
	args(a, "%s", thread ? "thread" : "ring");
	if (!thread)
		stranger_main(&x);
	else if (!pthread_create(&id, NULL, stranger_main, &x))
		pthread_join(id, NULL);
	if (x.nr_answers)
		worked(a);
}

/* Submit commands for the other device's channel to this queue's ring. */
void act_foreign(struct actor *a)
{
	struct queue *q = fuzz_some_queue(a), x;

	if (!q)
		return;
	x = *q;
	x.s = fuzz_other_server(q->s);
	if (x.s->chan < 0)
		return;
	if (chance(a, 30))
		fuzz_attach(&x, x.qid);
	fuzz_commit(&x, fuzz_right(q, below(a, q->depth)));
	fuzz_fetch(&x, x.qid, below(a, q->depth), 0);
	q->ring = x.ring; /* liburing keeps its position in the queue there */
	fuzz_try(a, q, 1);
}
