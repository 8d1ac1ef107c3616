// SPDX-License-Identifier: GPL-2.0
/*
 * The queue: one thread, one ring, one system call per batch of requests.
 *
 * A request is named by its tag. The driver owns a tag while the tag's command is parked. It fills
 * descs[tag] before it completes the command. From then on the server owns the tag, until answer().
 * Nothing here is allocated per request.
 *
 *   copy   the driver copies a WRITE's payload into the tag's buffer before delivery, and a READ's
 *          payload out of it at the answer
 *   user   the payload stays in the kernel: one pread (WRITE) or pwrite (READ) on the channel moves
 *          all of it
 *   auto   the driver registers the request's pages as fixed buffer `tag` of the ring; the server
 *          never sees them
 *   batch  as auto, but one command a round commits all answers, and one command delivers many tags
 */
#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/poll.h>
#include <unistd.h>

#include "ublk-peer.h"

#define BATCH_TAGS 128 /* the most tags that one delivery may hold */

enum { FILE_CHANNEL, FILE_BACKING };

static bool has_fixed_bufs(const struct peer_options *opt)
{
	return opt->mode == MODE_AUTO || opt->mode == MODE_BATCH;
}

/* Whether payloads pass through the server's own memory. */
static bool has_own_bufs(const struct peer_options *opt)
{
	return opt->mode == MODE_COPY || (opt->mode == MODE_USER && (opt->touch || opt->file));
}

__u64 queue_features(const struct peer_options *opt)
{
	static const __u64 features[] = {
		[MODE_COPY] = 0,
		[MODE_USER] = UBLK_F_USER_COPY,
		[MODE_AUTO] = UBLK_F_AUTO_BUF_REG,
		[MODE_BATCH] = UBLK_F_AUTO_BUF_REG | UBLK_F_BATCH_IO,
	};

	return features[opt->mode];
}

static char *tag_buf(const struct peer_queue *q, unsigned int tag)
{
	return q->bufs + (size_t)tag * q->opt->max_io;
}

/* This can't fail: each tag has at most one SQE in flight, and the ring has room for two a tag. */
static struct io_uring_sqe *get_sqe(struct peer_queue *q)
{
	struct io_uring_sqe *sqe = io_uring_get_sqe(&q->ring);

	if (__builtin_expect(!sqe, 0))
		abort();
	return sqe;
}

static struct io_uring_sqe *prep_commit(struct peer_queue *q, unsigned int tag, int res)
{
	struct io_uring_sqe *sqe = get_sqe(q);

	*sqe = q->commit[tag];
	((struct ublksrv_io_cmd *)sqe->cmd)->result = res;
	return sqe;
}

static void answer_one(struct peer_queue *q, unsigned int tag, int res)
{
	prep_commit(q, tag, res);
}

static void answer_batch(struct peer_queue *q, unsigned int tag, int res)
{
	q->elems[q->nr_elems++] =
		(struct peer_batch_elem){ .tag = tag, .buf_index = tag, .result = res };
}

static void prep_batch_cmd(struct io_uring_sqe *sqe, __u32 op, const struct peer_batch_elem *elems,
			   unsigned int nr)
{
	struct peer_batch_cmd *cmd = (void *)sqe->cmd;

	memset(sqe, 0, sizeof(*sqe));
	sqe->opcode = IORING_OP_URING_CMD;
	sqe->flags = IOSQE_FIXED_FILE;
	sqe->fd = FILE_CHANNEL;
	sqe->cmd_op = op;
	sqe->addr = (uintptr_t)elems;
	sqe->len = nr * sizeof(*elems);
	cmd->nr_elem = nr;
	cmd->elem_bytes = sizeof(*elems);
	sqe->user_data = PEER_DATA(EV_BATCH, 0);
}

/*
 * Queues the command that commits the round's answers. It completes during submission, and posts a
 * CQE only if it fails.
 */
static void flush_answers(struct peer_queue *q)
{
	struct io_uring_sqe *sqe;

	if (!q->nr_elems)
		return;
	sqe = get_sqe(q);
	prep_batch_cmd(sqe, UBLK_U_IO_COMMIT_IO_CMDS, q->elems, q->nr_elems);
	sqe->flags |= IOSQE_CQE_SKIP_SUCCESS;
	q->nr_elems = 0;
}

/* Mode user: moves the whole payload with one system call. Returns the bytes moved, or -errno. */
static int move_payload(struct peer_queue *q, unsigned int tag, bool write, unsigned int len)
{
	off_t pos = UBLKSRV_IO_BUF_OFFSET + ((off_t)tag << UBLK_TAG_OFF);
	ssize_t ret;

	ret = write ? pread(q->cdev, tag_buf(q, tag), len, pos) :
		      pwrite(q->cdev, tag_buf(q, tag), len, pos);
	return ret < 0 ? -errno : ret;
}

static void submit_backing(struct peer_queue *q, unsigned int tag, const struct ublksrv_io_desc *d,
			   bool write)
{
	struct io_uring_sqe *sqe = get_sqe(q);
	bool fixed = has_fixed_bufs(q->opt);

	/*
	 * The server's own memory is one fixed buffer, number 0. With auto registration the tag is
	 * the buffer's number, and addresses in the buffer begin at 0.
	 */
	io_uring_prep_rw(write ? IORING_OP_WRITE_FIXED : IORING_OP_READ_FIXED, sqe, FILE_BACKING,
			 fixed ? NULL : tag_buf(q, tag), d->nr_sectors << 9, d->start_sector << 9);
	sqe->buf_index = fixed ? tag : 0;
	sqe->flags = IOSQE_FIXED_FILE;
	sqe->user_data = PEER_DATA(EV_TARGET, tag);
}

static void submit_sync(struct peer_queue *q, unsigned int tag)
{
	struct io_uring_sqe *sqe = get_sqe(q);

	io_uring_prep_fsync(sqe, FILE_BACKING, IORING_FSYNC_DATASYNC);
	sqe->flags = IOSQE_FIXED_FILE;
	sqe->user_data = PEER_DATA(EV_TARGET, tag);
}

static void handle_request(struct peer_queue *q, unsigned int tag)
{
	const struct ublksrv_io_desc *d = &q->descs[tag];
	unsigned int op = ublksrv_get_op(d);
	bool write = op == UBLK_IO_OP_WRITE;
	int res = d->nr_sectors << 9;

	q->requests++;
	if (op > UBLK_IO_OP_FLUSH) {
		q->answer(q, tag, -EOPNOTSUPP);
	} else if (op == UBLK_IO_OP_FLUSH) {
		if (q->backing >= 0)
			submit_sync(q, tag);
		else
			q->answer(q, tag, 0);
	} else if (q->backing < 0) {
		if (q->opt->touch)
			res = move_payload(q, tag, write, res);
		q->answer(q, tag, res);
	} else {
		if (q->opt->mode == MODE_USER && write)
			res = move_payload(q, tag, true, res);
		if (res < 0)
			q->answer(q, tag, res);
		else
			submit_backing(q, tag, d, write);
	}
}

static void backing_done(struct peer_queue *q, unsigned int tag, int res)
{
	if (q->opt->mode == MODE_USER && res > 0 &&
	    ublksrv_get_op(&q->descs[tag]) == UBLK_IO_OP_READ)
		res = move_payload(q, tag, false, res);
	q->answer(q, tag, res);
}

/* The driver aborts parked commands when the device is being stopped. */
static int command_failed(struct peer_queue *q, int res)
{
	if (res != UBLK_IO_RES_ABORT)
		return res;
	q->stopped = true;
	return 0;
}

/* The driver delivers tags in a buffer of ours, which goes back to the driver at once. */
static int batch_event(struct peer_queue *q, const struct io_uring_cqe *cqe)
{
	unsigned int bid = cqe->flags >> IORING_CQE_BUFFER_SHIFT;
	__u16 *tags = q->tags + bid * BATCH_TAGS;
	int i;

	if (cqe->res < 0)
		return command_failed(q, cqe->res);
	if (!(cqe->flags & IORING_CQE_F_BUFFER))
		return 0;
	for (i = 0; i < cqe->res / (int)sizeof(*tags); i++)
		handle_request(q, tags[i]);
	io_uring_buf_ring_add(q->fetched, tags, BATCH_TAGS * sizeof(*tags), bid, q->nr_fetched - 1,
			      0);
	io_uring_buf_ring_advance(q->fetched, 1);
	return 0;
}

static int handle_event(struct peer_queue *q, const struct io_uring_cqe *cqe)
{
	unsigned int tag = cqe->user_data & 0xffff;
	enum peer_event event = cqe->user_data >> 16;

	switch (event) {
	case EV_REQUEST:
		if (__builtin_expect(cqe->res != UBLK_IO_RES_OK, 0))
			return command_failed(q, cqe->res);
		handle_request(q, tag);
		return 0;
	case EV_TARGET:
		backing_done(q, tag, cqe->res);
		return 0;
	case EV_BATCH:
		return batch_event(q, cqe);
	default:
		return 1 << event;
	}
}

/* Submits the prepared SQEs and waits for an event, with the same flags as ubdx's server. */
static int ring_enter(struct peer_queue *q)
{
	struct io_uring_sq *sq = &q->ring.sq;
	unsigned int to_submit = sq->sqe_tail - *sq->khead;

	io_uring_smp_store_release(sq->ktail, sq->sqe_tail);
	return io_uring_enter(q->ring.enter_ring_fd, to_submit, 1, q->enter_flags, NULL);
}

int queue_serve(struct peer_queue *q)
{
	struct io_uring_cqe *cqe;
	unsigned int head, nr = 0;
	int ret, seen = 0;

	ret = ring_enter(q);
	if (ret < 0)
		return ret == -EINTR ? 0 : ret;
	q->rounds++;
	io_uring_for_each_cqe(&q->ring, head, cqe)
	{
		ret = handle_event(q, cqe);
		if (__builtin_expect(ret, 0)) {
			if (ret < 0)
				return ret;
			seen |= ret;
		}
		nr++;
	}
	io_uring_cq_advance(&q->ring, nr);
	flush_answers(q);
	return seen;
}

void queue_watch(struct peer_queue *q, int fd, enum peer_event event)
{
	struct io_uring_sqe *sqe = get_sqe(q);

	io_uring_prep_poll_add(sqe, fd, POLLIN);
	sqe->user_data = PEER_DATA(event, 0);
}

static void prep_commits(struct peer_queue *q)
{
	unsigned int tag;

	for (tag = 0; tag < q->opt->depth; tag++) {
		struct io_uring_sqe *sqe = &q->commit[tag];
		struct ublksrv_io_cmd *cmd = (void *)sqe->cmd;

		sqe->opcode = IORING_OP_URING_CMD;
		sqe->flags = IOSQE_FIXED_FILE;
		sqe->fd = FILE_CHANNEL;
		sqe->cmd_op = UBLK_U_IO_COMMIT_AND_FETCH_REQ;
		sqe->user_data = PEER_DATA(EV_REQUEST, tag);
		cmd->tag = tag;
		if (q->opt->mode == MODE_COPY)
			cmd->addr = (uintptr_t)tag_buf(q, tag);
		if (q->opt->mode == MODE_AUTO)
			sqe->addr = tag; /* struct ublk_auto_buf_reg: the index */
	}
}

static void arm_batch(struct peer_queue *q)
{
	struct io_uring_sqe *sqe = get_sqe(q);
	struct peer_batch_cmd *cmd;
	unsigned int tag;

	for (tag = 0; tag < q->opt->depth; tag++)
		q->elems[tag] = (struct peer_batch_elem){ .tag = tag, .buf_index = tag };
	prep_batch_cmd(sqe, UBLK_U_IO_PREP_IO_CMDS, q->elems, q->opt->depth);

	sqe = get_sqe(q);
	memset(sqe, 0, sizeof(*sqe));
	sqe->opcode = IORING_OP_URING_CMD;
	sqe->flags = IOSQE_FIXED_FILE | IOSQE_BUFFER_SELECT;
	sqe->fd = FILE_CHANNEL;
	sqe->cmd_op = UBLK_U_IO_FETCH_IO_CMDS;
	sqe->uring_cmd_flags = IORING_URING_CMD_MULTISHOT;
	sqe->buf_group = 0;
	sqe->user_data = PEER_DATA(EV_BATCH, 0);
	cmd = (void *)sqe->cmd;
	cmd->nr_elem = BATCH_TAGS;
	cmd->elem_bytes = sizeof(__u16);
}

void queue_arm(struct peer_queue *q)
{
	unsigned int tag;

	if (q->opt->mode == MODE_BATCH)
		arm_batch(q);
	else
		for (tag = 0; tag < q->opt->depth; tag++)
			prep_commit(q, tag, 0)->cmd_op = UBLK_U_IO_FETCH_REQ;
}

static int init_batch(struct peer_queue *q)
{
	unsigned int bid;
	int ret;

	/* A delivery holds at least one tag, so a buffer per tag is always enough. */
	q->nr_fetched = 1;
	while (q->nr_fetched < q->opt->depth)
		q->nr_fetched *= 2;
	q->tags = calloc(q->nr_fetched, BATCH_TAGS * sizeof(*q->tags));
	q->elems = calloc(q->opt->depth, sizeof(*q->elems));
	if (!q->tags || !q->elems)
		return -ENOMEM;
	q->fetched = io_uring_setup_buf_ring(&q->ring, q->nr_fetched, 0, 0, &ret);
	if (!q->fetched)
		return ret;
	for (bid = 0; bid < q->nr_fetched; bid++)
		io_uring_buf_ring_add(q->fetched, q->tags + bid * BATCH_TAGS,
				      BATCH_TAGS * sizeof(*q->tags), bid, q->nr_fetched - 1, bid);
	io_uring_buf_ring_advance(q->fetched, q->nr_fetched);
	return 0;
}

static int init_bufs(struct peer_queue *q)
{
	struct iovec all;

	if (has_fixed_bufs(q->opt))
		return io_uring_register_buffers_sparse(&q->ring, q->opt->depth);
	if (!has_own_bufs(q->opt))
		return 0;
	q->bufs_len = (size_t)q->opt->depth * q->opt->max_io;
	q->bufs = mmap(NULL, q->bufs_len, PROT_READ | PROT_WRITE,
		       MAP_PRIVATE | MAP_ANONYMOUS | MAP_POPULATE, -1, 0);
	if (q->bufs == MAP_FAILED) {
		q->bufs = NULL;
		return -errno;
	}
	if (q->backing < 0)
		return 0;
	all = (struct iovec){ .iov_base = q->bufs, .iov_len = q->bufs_len };
	return io_uring_register_buffers(&q->ring, &all, 1);
}

static int init_ring(struct peer_queue *q)
{
	struct io_uring_params p = {
		.flags = IORING_SETUP_COOP_TASKRUN | IORING_SETUP_SINGLE_ISSUER |
			 IORING_SETUP_DEFER_TASKRUN | IORING_SETUP_CQSIZE,
		.cq_entries = 4 * q->opt->depth,
	};
	int files[] = { [FILE_CHANNEL] = q->cdev, [FILE_BACKING] = q->backing };
	int ret;

	ret = io_uring_queue_init_params(2 * q->opt->depth + 4, &q->ring, &p);
	if (ret < 0)
		return ret;
	ret = io_uring_register_files(&q->ring, files, 2);
	if (ret < 0)
		return ret;
	ret = io_uring_register_ring_fd(&q->ring);
	if (ret < 0)
		return ret;
	q->enter_flags = IORING_ENTER_GETEVENTS | IORING_ENTER_REGISTERED_RING;
	/* As ubdx's server: the wait of an idle server doesn't count as a wait for I/O. */
	if (p.features & IORING_FEAT_NO_IOWAIT)
		q->enter_flags |= IORING_ENTER_NO_IOWAIT;
	return 0;
}

/* On failure the caller calls queue_exit() too. The queue owns @cdev in any case. */
int queue_init(struct peer_queue *q, const struct peer_options *opt, int cdev, int backing)
{
	void *descs;
	int ret;

	*q = (struct peer_queue){
		.opt = opt, .cdev = cdev, .backing = backing, .answer = answer_one
	};
	q->ring.ring_fd = -1;
	descs = mmap(NULL, opt->depth * sizeof(*q->descs), PROT_READ, MAP_SHARED | MAP_POPULATE,
		     cdev, UBLKSRV_CMD_BUF_OFFSET);
	if (descs == MAP_FAILED)
		return -errno;
	q->descs = descs;
	q->commit = calloc(opt->depth, sizeof(*q->commit));
	if (!q->commit)
		return -ENOMEM;
	ret = init_ring(q);
	if (!ret)
		ret = init_bufs(q);
	if (!ret && opt->mode == MODE_BATCH) {
		q->answer = answer_batch;
		ret = init_batch(q);
	}
	if (!ret)
		prep_commits(q);
	return ret;
}

/* Closes the channel, too: DEL_DEV waits for the last user of the device. */
void queue_exit(struct peer_queue *q)
{
	if (q->ring.ring_fd >= 0) {
		io_uring_unregister_files(&q->ring);
		io_uring_queue_exit(&q->ring);
	}
	if (q->descs)
		munmap((void *)q->descs, q->opt->depth * sizeof(*q->descs));
	close(q->cdev);
}
