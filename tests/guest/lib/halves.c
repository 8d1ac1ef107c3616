// SPDX-License-Identifier: GPL-2.0
/*
 * halves.c - the server's half of each transfer mode, see halves.h. Tests that go through all modes
 * fail if the driver has a mode that is missing here, so a new mode needs an entry.
 *
 * A request's mode is that of its descriptor: the request may have fallen back from the mode of the
 * device.
 */
#define _GNU_SOURCE
#include <errno.h>
#include <fcntl.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/mman.h>
#include <unistd.h>

#include "halves.h"
#include "tap.h"

#define PIPE_BYTES 65536

static uint64_t position(struct raw_queue *q, const struct ubdx_desc *desc, size_t at)
{
	return ubdx_pos(q->qid, desc->tag, desc->seq, at);
}

/* ---- user ---- */

static int user(struct raw_queue *q, const struct ubdx_desc *desc, char *buf, size_t bytes)
{
	ssize_t n = desc->op == UBDX_OP_WRITE ?
			    pread(q->raw->chan, buf, bytes, position(q, desc, 0)) :
			    pwrite(q->raw->chan, buf, bytes, position(q, desc, 0));

	return n == (ssize_t)bytes ? 0 : n < 0 ? -errno : -EIO;
}

/* ---- map ---- */

static int map(struct raw_queue *q, const struct ubdx_desc *desc, char *buf, size_t bytes)
{
	size_t place = q->raw->add.params.max_io_bytes, window = place * q->depth;
	bool write = desc->op == UBDX_OP_WRITE;
	char *mem = mmap(NULL, window, write ? PROT_READ : PROT_READ | PROT_WRITE, MAP_SHARED,
			 q->raw->chan, ubdx_window(q->qid, desc->op));
	char *payload = mem + desc->tag * place + desc->page_offset;

	if (mem == MAP_FAILED)
		return -errno;
	if (write)
		memcpy(buf, payload, bytes);
	else
		memcpy(payload, buf, bytes);
	munmap(mem, window);
	return 0;
}

/* ---- splice ---- */

static int take_by_pipe(struct raw_queue *q, const struct ubdx_desc *desc, int *pipe, char *buf,
			size_t bytes)
{
	size_t done = 0;

	while (done < bytes) {
		loff_t pos = position(q, desc, done);
		ssize_t n = splice(q->raw->chan, &pos, pipe[1], NULL, bytes - done, 0), got;

		if (n <= 0)
			return n ? -errno : -EIO;
		for (; n; n -= got, done += got) {
			got = read(pipe[0], buf + done, n);
			if (got <= 0)
				return got ? -errno : -EIO;
		}
	}
	return 0;
}

static int give_by_pipe(struct raw_queue *q, const struct ubdx_desc *desc, int *pipe, char *buf,
			size_t bytes)
{
	size_t done = 0;

	while (done < bytes) {
		size_t part = bytes - done < PIPE_BYTES ? bytes - done : PIPE_BYTES;
		ssize_t n = write(pipe[1], buf + done, part), got;

		if (n <= 0)
			return n ? -errno : -EIO;
		for (; n; n -= got, done += got) {
			loff_t pos = position(q, desc, done);

			got = splice(pipe[0], NULL, q->raw->chan, &pos, n, 0);
			if (got <= 0)
				return got ? -errno : -EIO;
		}
	}
	return 0;
}

static int by_pipe(struct raw_queue *q, const struct ubdx_desc *desc, char *buf, size_t bytes)
{
	int fds[2], ret;

	if (pipe2(fds, O_CLOEXEC))
		return -errno;
	ret = desc->op == UBDX_OP_WRITE ? take_by_pipe(q, desc, fds, buf, bytes) :
					  give_by_pipe(q, desc, fds, buf, bytes);
	close(fds[0]);
	close(fds[1]);
	return ret;
}

/* ---- the table ---- */

static int reach(struct raw_queue *q, const struct ubdx_desc *desc, char *buf, size_t bytes)
{
	switch (desc->xfer) {
	case UBDX_XFER_USER:
	case UBDX_XFER_REGBUF:
	case UBDX_XFER_FORWARD:
		return user(q, desc, buf, bytes);
	case UBDX_XFER_MAP:
		return map(q, desc, buf, bytes);
	case UBDX_XFER_SPLICE:
		return by_pipe(q, desc, buf, bytes);
	default:
		return -EPROTO;
	}
}

const struct mode modes[] = {
	{ UBDX_XFER_COPY, "copy", NULL, NULL },
	{ UBDX_XFER_USER, "user", reach, reach },
	{ UBDX_XFER_MAP, "map", reach, reach },
	{ UBDX_XFER_SPLICE, "splice", reach, reach },
	{ UBDX_XFER_REGBUF, "regbuf", reach, reach },
	{ UBDX_XFER_FORWARD, "forward", reach, reach },
};
const unsigned int nr_modes = sizeof(modes) / sizeof(modes[0]);

uint64_t mode_offer(const struct mode *mode)
{
	return 1ULL << mode->xfer | (mode->xfer == UBDX_XFER_COPY ? 0 : 1ULL << UBDX_XFER_USER);
}

int mode_pin(const struct raw *raw, const struct mode *mode)
{
	struct ubdx_set set = { .id = raw->add.id, .xfer = mode->xfer };

	return ioctl(raw->ctl, UBDX_IOC_SET, &set) ? -errno : 0;
}
