// SPDX-License-Identifier: MIT OR LGPL-2.1
/*
 * map.c - transfer mode `map`: the payload is at the tag's place in one of two windows, mappings of
 * the channel, and is used in place. The driver maps the payload's pages when the server, or a
 * system call of the server, first accesses them; or, with the module parameter map_when=eager,
 * before it delivers the request.
 *
 * Direct I/O to or from a window fails with EFAULT. The strategy then repeats the step as in mode
 * `user`. After that, the queue does all its steps on that file as in mode `user`.
 */
#include <errno.h>
#include <stdlib.h>
#include <sys/mman.h>

#include "strategy.h"

/* io->path */
enum {
	UBDX_PATH_WINDOW,
	UBDX_PATH_USER,
};

struct ubdx_windows {
	char *window[2]; /* by operation: UBDX_OP_READ, UBDX_OP_WRITE */
	bool no_window[UBDX_TARGET_FILES]; /* by file: I/O with a window has failed */
};

static size_t ubdx_window_bytes(const struct ubdx_queue *q)
{
	return (size_t)q->depth * q->max_io_bytes;
}

static int ubdx_map_open(struct ubdx_queue *q, struct ubdx_windows *w, uint8_t op)
{
	int prot = op == UBDX_OP_READ ? PROT_READ | PROT_WRITE : PROT_READ;
	void *window = mmap(NULL, ubdx_window_bytes(q), prot, MAP_SHARED, q->channel,
			    ubdx_window(q->id, op));

	if (window == MAP_FAILED)
		return ubdx_fail(-errno, "queue %u: mapping a window: %m", q->id);
	w->window[op] = window;
	return 0;
}

static int ubdx_map_init(struct ubdx_queue *q)
{
	struct ubdx_windows *w = calloc(1, sizeof(*w));
	int ret;

	if (!w)
		return ubdx_fail(-ENOMEM, "queue %u: %m", q->id);
	q->priv[UBDX_XFER_MAP] = w;
	ret = ubdx_map_open(q, w, UBDX_OP_READ);
	return ret ? ret : ubdx_map_open(q, w, UBDX_OP_WRITE);
}

static void ubdx_map_exit(struct ubdx_queue *q)
{
	struct ubdx_windows *w = q->priv[UBDX_XFER_MAP];
	uint8_t op;

	for (op = UBDX_OP_READ; w && op <= UBDX_OP_WRITE; op++)
		if (w->window[op])
			munmap(w->window[op], ubdx_window_bytes(q));
	free(w);
}

static struct ubdx_windows *ubdx_windows(const struct ubdx_io *io)
{
	return io->q->priv[UBDX_XFER_MAP];
}

static char *ubdx_map_payload(const struct ubdx_io *io)
{
	return ubdx_windows(io)->window[io->desc->op] + (size_t)io->tag * io->q->max_io_bytes +
	       io->desc->page_offset + io->done;
}

static int64_t ubdx_map_move(struct ubdx_io *io)
{
	const struct ubdx_step *step = &io->step;
	bool write = io->desc->op == UBDX_OP_WRITE;

	if (step->kind == UBDX_STEP_FILE) {
		io->path = ubdx_windows(io)->no_window[step->file] ? UBDX_PATH_USER :
								     UBDX_PATH_WINDOW;
		if (io->path == UBDX_PATH_USER)
			return ubdx_user_move(io);
		ubdx_io_rw(io, ubdx_map_payload(io), step->length, write);
		return UBDX_ASYNC;
	}
	if (write) {
		memcpy(step->addr, ubdx_map_payload(io), step->length);
	} else {
		memcpy(ubdx_map_payload(io), step->addr, step->length);
		ubdx_io_on_read_data(io, ubdx_map_payload(io), step->length);
	}
	return step->length;
}

static int64_t ubdx_map_resume(struct ubdx_io *io, int res)
{
	if (io->path == UBDX_PATH_USER)
		return ubdx_user_resume(io, res);
	if (unlikely(res == -EFAULT)) {
		ubdx_windows(io)->no_window[io->step.file] = true;
		io->path = UBDX_PATH_USER;
		return ubdx_user_move(io);
	}
	if (res > 0 && io->desc->op == UBDX_OP_READ)
		ubdx_io_on_read_data(io, ubdx_map_payload(io), res);
	/* 0: the file ends before the device does. */
	return res ? res : -EIO;
}

static const void *ubdx_map_peek_write(struct ubdx_io *io, uint64_t length)
{
	return ubdx_map_payload(io);
}

const struct ubdx_strategy ubdx_strategy_map = {
	.name = "map",
	.queue_init = ubdx_map_init,
	.queue_exit = ubdx_map_exit,
	.move = ubdx_map_move,
	.resume = ubdx_map_resume,
	.peek_write = ubdx_map_peek_write,
};
