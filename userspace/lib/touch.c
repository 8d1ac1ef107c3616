// SPDX-License-Identifier: MIT OR LGPL-2.1
/*
 * touch.c - a benchmark aid: read the first bytes of each payload, or all of it, and add them up.
 * This shows in each mode what it costs a server to look at a header or at the whole payload.
 *
 * A request's sum is the sum of its 64-bit words, so it can be computed in parts, times a number
 * that depends on the request's sector. A queue's sum is the sum over its requests, in any order.
 * So the same requests with the same content give the same sum in every mode.
 */
#include <endian.h>
#include <errno.h>
#include <string.h>
#include <sys/mman.h>
#include <unistd.h>

#include "queue.h"

/* Four independent sums, so that no addition waits for the previous one. */
typedef uint64_t ubdx_words __attribute__((vector_size(16), aligned(1), may_alias));

static uint64_t ubdx_sum_words(const char *p, uint64_t length)
{
	ubdx_words a = { 0 }, b = a, c = a, d = a;
	uint64_t at, word, rest = 0;

	for (at = 0; at + 4 * sizeof(a) <= length; at += 4 * sizeof(a)) {
		const ubdx_words *words = (const void *)(p + at);

		a += words[0];
		b += words[1];
		c += words[2];
		d += words[3];
	}
	for (; at < length; at += sizeof(word)) {
		memcpy(&word, p + at, sizeof(word));
		rest += word;
	}
	a += b + c + d;
	return a[0] + a[1] + rest;
}

/* The byte at @pos of the payload, in its position in the word. */
static uint64_t ubdx_sum_byte(uint64_t pos, unsigned char byte)
{
	uint64_t word = 0;

	((unsigned char *)&word)[pos % sizeof(word)] = byte;
	return word;
}

static uint64_t ubdx_sum(uint64_t pos, const char *p, uint64_t length)
{
	uint64_t whole, sum = 0;

	for (; length && pos % sizeof(sum); length--)
		sum += ubdx_sum_byte(pos++, *p++);
	whole = length / sizeof(sum) * sizeof(sum);
	sum += ubdx_sum_words(p, whole);
	for (p += whole, pos += whole, length -= whole; length; length--)
		sum += ubdx_sum_byte(pos++, *p++);
	return sum;
}

int ubdx_touch_init(struct ubdx_queue *q)
{
	long page = sysconf(_SC_PAGESIZE);
	void *report;

	if (!q->touch)
		return 0;
	report = mmap(NULL, page, PROT_READ | PROT_WRITE, MAP_SHARED, q->channel,
		      UBDX_MMAP_REPORT + q->id * page);
	if (report == MAP_FAILED)
		return ubdx_fail(-errno, "queue %u: mapping its report: %m", q->id);
	q->report = report;
	return 0;
}

void ubdx_touch_exit(struct ubdx_queue *q)
{
	if (q->report)
		munmap(q->report, sysconf(_SC_PAGESIZE));
}

/**
 * ubdx_touch_begin() - a request has come: set how much of it to look at, and look at a WRITE.
 */
void ubdx_touch_begin(struct ubdx_io *io)
{
	const struct ubdx_strategy *strategy;
	uint64_t bytes = ubdx_desc_bytes(io->desc);
	const void *payload;

	io->buffered_bytes = 0;
	io->sum = 0;
	io->touch = io->q->touch < bytes ? io->q->touch : bytes;
	if (io->desc->op > UBDX_OP_WRITE)
		io->touch = 0;
	if (!io->touch || io->desc->op == UBDX_OP_READ || io->desc->xfer >= UBDX_NR_XFER)
		return;
	strategy = ubdx_strategies[io->desc->xfer];
	payload = strategy ? strategy->peek_write(io, io->touch) : NULL;
	if (payload)
		io->sum = ubdx_sum(0, payload, io->touch);
}

/**
 * ubdx_touch_seen() - see ubdx_io_on_read_data().
 */
void ubdx_touch_seen(struct ubdx_io *io, const void *bytes, uint64_t length)
{
	uint64_t left = io->touch - io->done;

	io->sum += ubdx_sum(io->done, bytes, length < left ? length : left);
}

/**
 * ubdx_touch_end() - the request was served.
 */
void ubdx_touch_end(struct ubdx_io *io)
{
	const struct ubdx_desc *desc = io->desc;
	struct ubdx_report *report = io->q->report;

	report->touched_bytes += io->touch;
	report->touched_sum += (io->sum + 1) * ((desc->sector << 2 | desc->op << 1) + 1);
}
