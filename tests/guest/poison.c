// SPDX-License-Identifier: GPL-2.0
/*
 * poison.c - invariants 3 and 4 (docs/design.md): a client reads nothing but what the server has
 * served, and a server sees nothing but what the client has written, to the byte, in every transfer
 * mode. Memory is filled with patterns beforehand: the client's, the server's, and what the driver
 * allocates (the guest's kernel doesn't clear pages).
 */
#define _GNU_SOURCE
#include <errno.h>
#include <fcntl.h>
#include <linux/fs.h>
#include <stdatomic.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/mman.h>
#include <sys/uio.h>
#include <unistd.h>

#include "halves.h"
#include "tap.h"

#define CLIENTS 0x5c /* the client's memory before a READ */
#define SERVERS 0xa5 /* the server's memory before it serves */
#define WRITTEN 0xc1 /* what the client writes */

#define DEPTH 16
#define BYTES (64U << 10)
#define LOOK (2 * BYTES) /* how much of a tag's buffer is poisoned and checked */
#define AT (1U << 20) /* the partition scan is elsewhere */

static const struct mode *mode;
static char *shadow; /* what each tag's buffer held before the request */

/* The server answers a READ with @answer_bytes at most, and after @answers_left READs with EIO. */
static atomic_uint answer_bytes, answers_left;
static atomic_int outside, writes, written_bytes;
static atomic_bool one_page; /* only the first page of each tag's buffer is accessible */

/* The bytes that the server serves depend on their place in the device. */
static unsigned char served(uint64_t at)
{
	return 1 + (at ^ at >> 9) % 83; /* different from the patterns above, and from 0 */
}

static int32_t answer_read(struct raw_queue *q, const struct ubdx_desc *desc, char *buf)
{
	size_t bytes = desc->nr_sectors * 512, i;
	unsigned int limit = atomic_load(&answer_bytes);

	if (desc->sector * 512 >= AT && desc->sector * 512 < AT + 16 * BYTES) {
		if (!atomic_load(&answers_left))
			return -EIO;
		atomic_fetch_sub(&answers_left, 1);
		bytes = limit < bytes ? limit : bytes;
	}
	for (i = 0; i < bytes; i++)
		buf[i] = served(desc->sector * 512 + i);
	return mode->give && mode->give(q, desc, buf, bytes) ? -EIO : (int32_t)bytes;
}

/* @one_page is set: the server itself must not touch the rest of the buffer, either. */
static int32_t answer_page(struct raw_queue *q, const struct ubdx_desc *desc, char *buf)
{
	size_t bytes = desc->nr_sectors * 512, i;

	if (desc->op == UBDX_OP_WRITE)
		atomic_fetch_add(&writes, 1);
	for (i = 0; i < 4096 && desc->op == UBDX_OP_READ; i++)
		buf[i] = served(desc->sector * 512 + i);
	return bytes;
}

static int32_t answer(struct raw_queue *q, const struct ubdx_desc *desc, char *buf)
{
	char *mine = shadow + desc->tag * (size_t)LOOK;
	size_t bytes = desc->nr_sectors * 512, i;
	int32_t res = 0;

	/* a window shows whole pages */
	if (desc->xfer == UBDX_XFER_MAP && ((desc->page_offset | bytes) & 4095))
		atomic_fetch_add(&outside, 1);
	if (atomic_load(&one_page))
		return answer_page(q, desc, buf);
	if (desc->op == UBDX_OP_READ) {
		memset(buf, SERVERS, LOOK);
		res = answer_read(q, desc, buf);
		memcpy(mine, buf, LOOK);
		return res;
	}
	if (desc->op == UBDX_OP_WRITE) {
		if (mode->take && mode->take(q, desc, buf, bytes))
			return -EIO;
		atomic_fetch_add(&writes, 1);
		for (i = 0; i < bytes; i++)
			atomic_fetch_add(&written_bytes, buf[i] == (char)WRITTEN);
		memcpy(mine, buf, bytes);
		res = bytes;
	}
	/* the buffer behind the payload is unchanged; without a payload, the whole buffer is */
	if (memcmp(mine, buf, LOOK))
		atomic_fetch_add(&outside, 1);
	return res;
}

static struct raw_server server;

static void start(void)
{
	/* the device's size ends within a page */
	raw_defaults(&server.raw);
	server.raw.add.xfer_modes = mode_offer(mode);
	server.raw.add.params.dev_sectors = (64 << 20) / 512 + 3;
	server.raw.add.params.max_io_bytes = LOOK;
	server.raw.add.params.max_discard_sectors = 1024;
	server.raw.add.params.attrs = UBDX_ATTR_WRITE_CACHE;
	/* like memory that the queue's thread has just allocated */
	memset(shadow, 0, DEPTH * (size_t)LOOK);
	atomic_store(&answer_bytes, BYTES);
	atomic_store(&answers_left, UINT32_MAX);
	atomic_store(&one_page, false);
	raw_server_start(&server, answer);
	if (mode_pin(&server.raw, mode))
		bail("mode %s", mode->name);
}

/*
 * Does @mem begin with the @got bytes that the server serves at @at, and go on with the client's
 * own pattern? From @got to @maybe, a byte may be either of the two.
 */
static bool only(const unsigned char *mem, uint64_t at, size_t got, size_t maybe, size_t bytes)
{
	size_t i;

	for (i = 0; i < bytes; i++) {
		if (mem[i] == served(at + i) && i < maybe)
			continue;
		if (mem[i] == CLIENTS && i >= got)
			continue;
		printf("# byte %zu is %02x, of %zu\n", i, mem[i], bytes);
		return false;
	}
	return true;
}

static void short_reads(int fd, const char *how)
{
	static const unsigned int lengths[] = { 511, 512, 3584, 4096, 5000, 33280, BYTES - 512 };
	unsigned char *mem = raw_mem(BYTES + 4096);
	unsigned int i;

	for (i = 0; i < sizeof(lengths) / sizeof(lengths[0]); i++) {
		unsigned int bytes = lengths[i];
		ssize_t n;

		posix_fadvise(fd, 0, 0, POSIX_FADV_DONTNEED);
		atomic_store(&answer_bytes, bytes);
		atomic_store(&answers_left, 1);
		memset(mem, CLIENTS, BYTES + 4096);
		n = pread(fd, mem, BYTES, AT);
		ok(n < (ssize_t)bytes || n == bytes / 512 * 512,
		   "%s, %s: %u bytes, then no more: not a longer READ", mode->name, how, bytes);
		ok(only(mem, AT, n < 0 ? 0 : n, bytes, BYTES + 4096),
		   "   nothing is in it but what was served and what was there before");

		if (bytes < 512)
			continue;
		posix_fadvise(fd, 0, 0, POSIX_FADV_DONTNEED);
		atomic_store(&answers_left, UINT32_MAX);
		memset(mem, CLIENTS, BYTES + 4096);
		n = pread(fd, mem, BYTES, AT);
		is(n, BYTES, "   the same again and again: a whole READ");
		ok(only(mem, AT, BYTES, BYTES, BYTES + 4096),
		   "   with every byte as it was served");
	}
	atomic_store(&answer_bytes, BYTES);
	munmap(mem, BYTES + 4096);
}

/* Blocks from the middle of pages, one page each. */
static void pieces(int fd)
{
	unsigned char *mem = raw_mem(8 * 4096), page[4096];
	struct iovec vec[8];
	bool right = true;
	int i, j;

	memset(mem, CLIENTS, 8 * 4096);
	for (i = 0; i < 8; i++)
		vec[i] = (struct iovec){ mem + i * 4096 + 1536, 512 };
	is(preadv(fd, vec, 8, AT), 4096, "a READ into parts of eight pages");
	for (i = 0; i < 8; i++) {
		memset(page, CLIENTS, sizeof(page));
		for (j = 0; j < 512; j++)
			page[1536 + j] = served(AT + i * 512 + j);
		right &= !memcmp(page, mem + i * 4096, 4096);
	}
	ok(right, "   changes these and nothing around them");

	memset(mem, CLIENTS, 8 * 4096);
	for (i = 0; i < 8; i++)
		memset(vec[i].iov_base, WRITTEN, 512);
	atomic_store(&writes, 0);
	atomic_store(&written_bytes, 0);
	is(pwritev(fd, vec, 8, AT), 4096, "a WRITE out of parts of eight pages");
	is(written_bytes, 4096, "   the server gets all of it");
	is(writes, 1, "   in one request");
	munmap(mem, 8 * 4096);
}

/* The last page is partly beyond the end of the device. */
static void end_of_device(const char *path)
{
	uint64_t at = 64 << 20;
	unsigned char *map;
	size_t i, wrong = 0;
	int fd = open(path, O_RDONLY | O_CLOEXEC);

	map = mmap(NULL, 4096, PROT_READ, MAP_SHARED, fd, at);
	if (fd < 0 || map == MAP_FAILED)
		bail("mmap %s: %s", path, strerror(errno));
	for (i = 0; i < 4096; i++)
		wrong += map[i] != (i < 1536 ? served(at + i) : 0);
	is(wrong, 0, "the page at the device's end: what was served, then zeroes");
	munmap(map, 4096);
	close(fd);
}

/* Mode copy: only the first page of each tag's buffer is accessible. */
static void part_of_a_buffer(int fd)
{
	unsigned char *mem = raw_mem(BYTES);
	unsigned int tag;
	size_t i;

	atomic_store(&one_page, true);
	is(pread(fd, mem, 4096, AT), 4096, "a READ; the server now uses one page of a buffer");
	for (tag = 0; tag < DEPTH; tag++)
		mprotect(server.queue.buf + tag * (size_t)RAW_BUF_BYTES + 4096,
			 RAW_BUF_BYTES - 4096, PROT_NONE);
	memset(mem, CLIENTS, BYTES);
	is(pread(fd, mem, BYTES, AT), BYTES,
	   "a READ from a buffer of which one page is accessible");
	for (i = 0; i < BYTES && mem[i] == served(AT + i); i++)
		;
	is(i, BYTES, "   comes in pieces, each as it was served");
	memset(mem, WRITTEN, BYTES);
	atomic_store(&writes, 0);
	ok(pwrite(fd, mem, BYTES, AT) < 0 && errno == EIO, "a WRITE to one fails");
	is(writes, 0, "   and the server doesn't hear of it");
	munmap(mem, BYTES);
}

static void through_all(void)
{
	unsigned char *mem = raw_mem(BYTES);
	uint64_t range[2] = { AT, BYTES };
	int direct, cached;

	start();
	direct = raw_bdev(&server.raw, O_RDWR);
	cached = open(server.raw.path, O_RDWR | O_CLOEXEC);
	short_reads(direct, "direct");
	short_reads(cached, "cached");
	pieces(direct);
	is(fsync(direct) ?: ioctl(direct, BLKDISCARD, range), 0, "FLUSH, DISCARD");
	is(outside, 0, "the server's memory behind the payload is never touched");
	end_of_device(server.raw.path);
	if (!mode->take)
		part_of_a_buffer(direct);
	close(direct);
	close(cached);
	raw_server_stop(&server);
	munmap(mem, BYTES);
}

/* The descriptors of a new device hold tag numbers and zeroes only. */
static void descriptors(void)
{
	size_t words, bytes = UBDX_MAX_DEPTH * sizeof(struct ubdx_desc), i, wrong = 0;
	const unsigned int depths[] = { 1, 100, UBDX_MAX_DEPTH };
	unsigned int d;

	for (d = 0; d < 3; d++) {
		struct raw raw;
		const uint16_t *map;

		raw_defaults(&raw);
		raw.add.params.depth = depths[d];
		if (raw_add(&raw) || raw_open(&raw))
			bail("add");
		bytes = (depths[d] * sizeof(struct ubdx_desc) + 4095) & ~4095UL;
		map = mmap(NULL, bytes, PROT_READ, MAP_SHARED, raw.chan, 0);
		if (map == MAP_FAILED)
			bail("mmap: %s", strerror(errno));
		words = sizeof(struct ubdx_desc) / 2;
		for (i = 0; i < bytes / 2; i++)
			wrong += map[i] !=
				 (i % words == 8 && i / words < depths[d] ? i / words : 0);
		munmap((void *)map, bytes);
		close(raw.chan);
		raw_ctl(&raw, UBDX_IOC_DEL, 0);
		close(raw.ctl);
	}
	is(wrong, 0, "fresh descriptors hold nothing of anybody's");
}

/* Fill free memory with a pattern, so that memory that the kernel allocates isn't clean. */
static void dirty_memory(void)
{
	size_t bytes = 256 << 20;
	char *mem = raw_mem(bytes);

	memset(mem, 0xee, bytes);
	munmap(mem, bytes);
}

int main(void)
{
	uint64_t xfer_modes = raw_modes();
	unsigned int m;

	dirty_memory();
	descriptors();
	shadow = raw_mem(DEPTH * (size_t)LOOK);
	for (m = 0; m < nr_modes; m++) {
		if (!(xfer_modes & 1ULL << modes[m].xfer))
			continue;
		xfer_modes &= ~(1ULL << modes[m].xfer);
		mode = &modes[m];
		through_all();
	}
	is(xfer_modes, 0, "each mode that the driver has was looked at");
	return done();
}
