// SPDX-License-Identifier: GPL-2.0
/*
 * fuzz_payload.c - the fuzzer's servers access payloads: by reads and writes of the channel,
 * through pipes and in windows, of requests that they have, had, or never had.
 */
#define _GNU_SOURCE
#include <errno.h>
#include <fcntl.h>
#include <sys/mman.h>
#include <sys/uio.h>
#include <unistd.h>

#include "fuzz_server.h"

/* A tag whose request the server has; mostly one with operation @op and not in mode copy. */
static unsigned int some_tag(struct actor *a, struct queue *q, unsigned int op)
{
	unsigned int i, tag = below(a, q->depth);

	fuzz_reap(q, fuzz_rehearses ? 20 : 2);
	if (q->nr_held)
		tag = q->held[below(a, q->nr_held)];
	for (i = 0; q->desc && i < q->nr_held && chance(a, 95); i++)
		if (q->desc[q->held[i]].op == op && q->desc[q->held[i]].xfer != UBDX_XFER_COPY)
			return q->held[i];
	return tag;
}

/* The position of a request's payload on the channel. */
static uint64_t some_position(struct actor *a, struct queue *q, unsigned int op)
{
	unsigned int tag = some_tag(a, q, op), bytes;

	if (!q->desc || chance(a, 20))
		return edge(a);
	bytes = chance(a, 70) ? q->desc[tag].nr_sectors * 512 : q->s->add.params.max_io_bytes;
	return ubdx_pos(q->qid, tag, q->desc[tag].seq + chance(a, 10),
			bytes && chance(a, 70) ? below(a, bytes) : 0);
}

/* Read or write a payload by io_uring, whatever the request's mode. */
void act_access(struct actor *a)
{
	static const unsigned char opcodes[] = { IORING_OP_READ, IORING_OP_WRITE, IORING_OP_READV,
						 IORING_OP_WRITEV };
	static struct iovec iov[2];
	struct queue *q = fuzz_some_queue(a);
	unsigned int way = below(a, ARRAY_SIZE(opcodes));
	/* a server reads a WRITE's payload */
	uint64_t at = q ? some_position(a, q, way % 2 ? UBDX_OP_READ : UBDX_OP_WRITE) : 0;
	struct io_uring_sqe *sqe = q ? fuzz_sqe(q) : NULL;
	unsigned int before, i;

	if (!sqe)
		return;
	for (i = 0; i < ARRAY_SIZE(iov); i++)
		iov[i] = (struct iovec){ fuzz_area(a), below(a, 65536) };
	sqe->opcode = opcodes[way];
	sqe->fd = q->s->chan;
	sqe->off = at;
	if (sqe->opcode == IORING_OP_READ || sqe->opcode == IORING_OP_WRITE) {
		sqe->addr = (uintptr_t)iov[0].iov_base;
		sqe->len = iov[0].iov_len;
	} else {
		sqe->addr = (uintptr_t)iov;
		sqe->len = ARRAY_SIZE(iov);
	}
	sqe->user_data = ACCESS;
	if (chance(a, 30))
		sqe->flags = IOSQE_ASYNC;
	args(a, "opcode %u off %llx", sqe->opcode, sqe->off);
	before = q->nr_reached;
	fuzz_reap(q, 1);
	if (q->nr_reached != before)
		worked(a);
}

/* One step of a payload's way through pipes: into one, out of it, to another, or close the pipe. */
void act_splice(struct actor *a)
{
	static int pipes[4][2];
	struct queue *q = fuzz_some_queue(a);
	unsigned int n = below(a, ARRAY_SIZE(pipes)), what = below(a, 8);
	int *pipe = pipes[n], *other = pipes[(n + 1) % ARRAY_SIZE(pipes)];
	static char mem[65536];
	ssize_t moved = -1;
	loff_t at;

	if (!q || (!pipe[1] && pipe2(pipe, O_CLOEXEC | O_NONBLOCK)))
		return;
	at = some_position(a, q, what == 3 ? UBDX_OP_READ : UBDX_OP_WRITE);
	args(a, "%u at %lx", what, at);
	switch (what) {
	case 0:
	case 1:
	case 2:
		moved = splice(q->s->chan, &at, pipe[1], NULL, below(a, 1 << 18), 0);
		break;
	case 3:
		moved = splice(pipe[0], NULL, q->s->chan, &at, below(a, 1 << 18), 0);
		break;
	case 4:
		moved = read(pipe[0], mem, sizeof(mem));
		break;
	case 5:
		moved = other[1] ? tee(pipe[0], other[1], below(a, 65536), SPLICE_F_NONBLOCK) : -1;
		break;
	case 6:
		moved = other[1] ? splice(pipe[0], NULL, other[1], NULL, below(a, 65536),
					  SPLICE_F_NONBLOCK) :
				   -1;
		break;
	default:
		close(pipe[0]);
		close(pipe[1]);
		pipe[0] = pipe[1] = 0;
		break;
	}
	if (moved > 0)
		worked(a);
}

/* Map a window, read or write there, and unmap it or leave it. */
void act_window(struct actor *a)
{
	struct queue *q = fuzz_some_queue(a);
	unsigned int op = below(a, 2), tag;
	size_t place, bytes;
	char *p;

	if (!q || !q->depth)
		return;
	place = q->s->add.params.max_io_bytes;
	bytes = place * q->depth;
	p = mmap(NULL, bytes, op == UBDX_OP_WRITE ? PROT_READ : PROT_READ | PROT_WRITE, MAP_SHARED,
		 q->s->chan, ubdx_window(q->qid, op));
	args(a, "op %u: %d", op, p == MAP_FAILED ? -errno : 0);
	if (p == MAP_FAILED)
		return;
	worked(a);
	fuzz_reap(q, 2);
	tag = q->nr_held ? q->held[below(a, q->nr_held)] : below(a, q->depth);
	fuzz_touch(p + tag * place + below(a, place), op == UBDX_OP_READ);
	if (chance(a, 30))
		madvise(p, bytes,
			PICK(a, ((const int[]){ MADV_DONTNEED, MADV_POPULATE_READ, MADV_COLD,
						MADV_PAGEOUT, MADV_DONTFORK })));
	if (chance(a, 20))
		mremap(p, bytes, bytes, MREMAP_MAYMOVE | MREMAP_DONTUNMAP);
	/* now and then the mapping stays until the process ends */
	if (!chance(a, 5))
		munmap(p, chance(a, 80) ? bytes : bytes / 2);
}

/* Before an answer: move some of the payload as the request's mode does, maybe not all of it. */
void fuzz_reach(struct queue *q, unsigned int tag, struct rng *rng)
{
	static __thread char mem[65536];
	static __thread int pipe[2];
	bool write = q->desc[tag].op == UBDX_OP_WRITE;
	loff_t at = ubdx_pos(q->qid, tag, q->desc[tag].seq, rng_below(rng, 8192));
	size_t bytes = rng_below(rng, sizeof(mem));

	if (q->desc[tag].xfer != UBDX_XFER_SPLICE || rng_below(rng, 3) == 0) {
		if (write)
			(void)!pread(q->s->chan, mem, bytes, at);
		else
			(void)!pwrite(q->s->chan, mem, bytes, at);
		return;
	}
	if (!pipe[1] && pipe2(pipe, O_CLOEXEC | O_NONBLOCK))
		return;
	if (write)
		(void)!splice(q->s->chan, &at, pipe[1], NULL, bytes, 0);
	else
		(void)!splice(pipe[0], NULL, q->s->chan, &at, bytes, 0);
	/* a payload left there keeps its request from ending, until the timeout */
	if (rng_below(rng, 50)) {
		while (read(pipe[0], mem, sizeof(mem)) > 0)
			;
	}
}
