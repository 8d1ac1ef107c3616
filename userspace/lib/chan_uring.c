// SPDX-License-Identifier: MIT OR LGPL-2.1
/*
 * chan_uring.c - the `uring` channel: how requests come to a queue and answers go back. For each
 * tag an IORING_OP_URING_CMD is parked at the driver. Its completion says that the tag's descriptor
 * holds a request; COMMIT_AND_FETCH answers the request and parks again.
 *
 * The driver owns the descriptors; they are mapped read-only while the channel is open. The
 * functions here make SQEs; queue.c submits them.
 */
#include <errno.h>
#include <sys/mman.h>
#include <syslog.h>
#include <time.h>
#include <unistd.h>

#include "queue.h"

static size_t ubdx_descs_bytes(const struct ubdx_queue *q)
{
	return ubdx_round_up(q->depth * sizeof(struct ubdx_desc), sysconf(_SC_PAGESIZE));
}

/* A command for @tag. The SQE's memory is stale, so all fields are set. */
static struct io_uring_sqe *ubdx_chan_cmd(struct ubdx_queue *q, uint32_t cmd_op, uint16_t tag)
{
	struct io_uring_sqe *sqe = ubdx_queue_sqe(q);

	*sqe = (struct io_uring_sqe){
		.opcode = IORING_OP_URING_CMD,
		.flags = IOSQE_FIXED_FILE,
		.fd = UBDX_FILE_CHANNEL,
		.cmd_op = cmd_op,
		.user_data = tag,
	};
	return sqe;
}

/**
 * ubdx_chan_attach() - bind the queue to this thread. Like every command, ATTACH completes when the
 * device is gone.
 */
void ubdx_chan_attach(struct ubdx_queue *q)
{
	struct ubdx_attach *attach = (void *)ubdx_chan_cmd(q, UBDX_CMD_ATTACH, UBDX_DATA_TAG)->cmd;

	*attach = (struct ubdx_attach){ .qid = q->id, .buf_base = ubdx_payload_base(q) };
	q->live++;
}

static void ubdx_chan_fetch(struct ubdx_queue *q, uint16_t tag)
{
	struct ubdx_fetch *fetch = (void *)ubdx_chan_cmd(q, UBDX_CMD_FETCH, tag)->cmd;

	*fetch = (struct ubdx_fetch){
		.qid = q->id,
		.tag = tag,
		.addr = (uintptr_t)q->ios[tag].buf,
	};
}

/**
 * ubdx_chan_fetch_all() - offer every tag to the driver.
 */
void ubdx_chan_fetch_all(struct ubdx_queue *q)
{
	uint16_t tag;

	for (tag = 0; tag < q->depth; tag++)
		ubdx_chan_fetch(q, tag);
	q->live += q->depth;
}

/* Answer with extents: the driver moves the payload. One extent fits into the command itself. */
static void ubdx_chan_forward(const struct ubdx_io *io, struct io_uring_sqe *sqe)
{
	struct ubdx_commit *commit = (void *)sqe->cmd;

	sqe->len |= UBDX_COMMIT_FORWARD | io->keep;
	if (io->nr_extents == 1) {
		sqe->addr = io->extents->offset;
		commit->res = io->extents->bytes;
		sqe->len |= io->extents->file << UBDX_COMMIT_FILE_SHIFT;
		return;
	}
	sqe->len |= UBDX_COMMIT_EXTENTS;
	sqe->addr = (uintptr_t)io->extents;
	commit->res = io->nr_extents;
}

/**
 * ubdx_chan_commit() - answer the request of @io, and fetch the tag's next one.
 * @res: as in struct ubdx_commit.
 */
void ubdx_chan_commit(struct ubdx_io *io, int32_t res)
{
	struct ubdx_queue *q = io->q;
	uint16_t tag = io->tag;
	struct io_uring_sqe *sqe = ubdx_chan_cmd(q, UBDX_CMD_COMMIT_AND_FETCH, tag);
	struct ubdx_commit *commit = (void *)sqe->cmd;

	/* ubdx_chan_flush() clears this in the last commit. */
	sqe->len = UBDX_COMMIT_MORE;
	q->last_commit = sqe;
	*commit = (struct ubdx_commit){
		.seq = io->desc->seq,
		.qid = q->id,
		.tag = tag,
		.res = res,
		.read_ns = io->read_ns,
	};
	if (io->nr_extents && res > 0)
		ubdx_chan_forward(io, sqe);
}

/**
 * ubdx_chan_flush() - mark the last commit, at which the driver ends its batch. Called before the
 * SQEs are submitted.
 */
void ubdx_chan_flush(struct ubdx_queue *q)
{
	if (!q->last_commit)
		return;
	q->last_commit->len &= ~UBDX_COMMIT_MORE;
	q->last_commit = NULL;
}

/*
 * The time from the descriptor's stamp to now, in ns. All requests of one round of completions get
 * the same "now". Never 0, which means "not measured".
 */
static cold uint32_t ubdx_read_ns(struct ubdx_queue *q, const struct ubdx_desc *desc)
{
	struct timespec now;
	uint64_t ns;

	if (!q->read_at) {
		clock_gettime(CLOCK_MONOTONIC, &now);
		q->read_at = now.tv_sec * 1000000000ULL + now.tv_nsec;
	}
	ns = q->read_at - desc->stamp;
	if (ns > UINT32_MAX)
		return UINT32_MAX;
	return ns ? ns : 1;
}

/*
 * The driver has returned the tag's command with an error. After a commit with extents, some errors
 * mean that the request is still at the server (UBDX_COMMIT_FORWARD). After any other error the tag
 * gets no more requests. Returns whether the tag carries a request.
 */
static cold bool ubdx_chan_failed(struct ubdx_queue *q, uint16_t tag, int res)
{
	/* ATTACH's command has no tag */
	struct ubdx_io *io = tag < q->depth ? &q->ios[tag] : NULL;

	if (io && io->nr_extents && (res == -EBUSY || res == -ENOMEM || res == -EFAULT)) {
		io->refused = true;
		io->refused_seq = io->desc->seq;
		return true;
	}
	q->live--;
	if (res != -ENODEV)
		ubdx_log(q->logger, LOG_ERR, "queue %u, tag %u: the driver refused its command: %s",
			 q->id, tag, strerror(-res));
	return false;
}

/**
 * ubdx_chan_event() - a command has completed.
 *
 * Return: true if the tag carries a request now.
 */
bool ubdx_chan_event(struct ubdx_queue *q, uint16_t tag, int res)
{
	struct ubdx_io *io = &q->ios[tag];

	if (unlikely(res))
		return ubdx_chan_failed(q, tag, res);
	io->read_ns = unlikely(io->desc->flags & UBDX_DESC_STAMP) ? ubdx_read_ns(q, io->desc) : 0;
	return true;
}

/**
 * ubdx_chan_open() - map the descriptors.
 *
 * Return: 0 or the result of ubdx_fail().
 */
int ubdx_chan_open(struct ubdx_queue *q)
{
	off_t offset = q->id * UBDX_MMAP_QUEUE_STRIDE;
	uint16_t tag;
	void *descs;

	descs = mmap(NULL, ubdx_descs_bytes(q), PROT_READ, MAP_SHARED, q->channel, offset);
	if (descs == MAP_FAILED)
		return ubdx_fail(-errno, "queue %u: mapping its descriptors: %m", q->id);
	q->descs = descs;
	for (tag = 0; tag < q->depth; tag++)
		q->ios[tag].desc = &q->descs[tag];
	return 0;
}

/**
 * ubdx_chan_close() - unmap the descriptors, if they are mapped.
 */
void ubdx_chan_close(struct ubdx_queue *q)
{
	if (q->descs)
		munmap((void *)q->descs, ubdx_descs_bytes(q));
}
