// SPDX-License-Identifier: MIT OR LGPL-2.1
/*
 * steps.c - a request goes through its target's steps to the right result: extents, short
 * transfers, errors, answers with extents, zeroing by a hole and by writes, and steps that do not
 * fit the request. The channel is replaced by one that brings a single request and takes its
 * answer; queue, ring, strategy and files are real.
 */
#include <errno.h>
#include <fcntl.h>
#include <inttypes.h>
#include <pthread.h>
#include <string.h>
#include <sys/mman.h>
#include <unistd.h>

#include "queue.h"
#include "tap.h"

#define MAX_IO (1U << 20)
#define EXTENT 12288U /* of the striped target */

/* ---- a channel ---- */

static struct ubdx_desc desc;
static uint8_t desc_xfer = UBDX_XFER_COPY;
static int answer;
static unsigned int answers;

int ubdx_chan_open(struct ubdx_queue *q)
{
	q->descs = &desc;
	q->ios[0].desc = &desc;
	return 0;
}

void ubdx_chan_close(struct ubdx_queue *q)
{
}

void ubdx_chan_attach(struct ubdx_queue *q)
{
}

void ubdx_chan_fetch_all(struct ubdx_queue *q)
{
}

void ubdx_chan_flush(struct ubdx_queue *q)
{
}

bool ubdx_chan_event(struct ubdx_queue *q, uint16_t tag, int res)
{
	return !res;
}

void ubdx_chan_commit(struct ubdx_io *io, int32_t res)
{
	answer = res;
	answers++;
	io->q->live--;
}

/* Serve one request. Returns its answer, or -EINPROGRESS unless it got exactly one. */
static int request(struct ubdx_queue *q, uint8_t op, uint64_t offset, uint64_t bytes,
		   uint32_t flags)
{
	struct io_uring_sqe *sqe = ubdx_queue_sqe(q);

	desc = (struct ubdx_desc){
		.sector = offset >> 9,
		.nr_sectors = bytes >> 9,
		.op = op,
		.xfer = desc_xfer,
		.flags = flags,
	};
	q->live = 1;
	answer = -EINPROGRESS;
	answers = 0;
	/* Stands for the driver's command. */
	*sqe = (struct io_uring_sqe){ .opcode = IORING_OP_NOP };
	ubdx_queue_serve(q);
	return answers == 1 ? answer : -EINPROGRESS;
}

/* ---- targets ---- */

/* Extents of 12 KiB, in turn on two files, in reverse order on the second. */
static int striped_resolve(struct ubdx_target *target, const struct ubdx_desc *d, uint64_t done,
			   struct ubdx_step *step)
{
	uint64_t at = (d->sector << 9) + done;
	uint64_t extent = at / EXTENT, within = at % EXTENT;

	step->kind = UBDX_STEP_FILE;
	step->file = extent & 1;
	step->offset = (extent & 1 ? 64 - extent : extent) * EXTENT + within;
	step->length = EXTENT - within;
	return 0;
}

static int plain_resolve(struct ubdx_target *target, const struct ubdx_desc *d, uint64_t done,
			 struct ubdx_step *step)
{
	static const uint32_t kinds[] = {
		[UBDX_OP_READ] = UBDX_STEP_FILE,	 [UBDX_OP_WRITE] = UBDX_STEP_FILE,
		[UBDX_OP_FLUSH] = UBDX_STEP_SYNC,	 [UBDX_OP_DISCARD] = UBDX_STEP_PUNCH,
		[UBDX_OP_WRITE_ZEROES] = UBDX_STEP_ZERO,
	};

	step->kind = kinds[d->op];
	step->offset = (d->sector << 9) + done;
	step->length = UINT64_MAX;
	if (d->op == UBDX_OP_WRITE_ZEROES && !(d->flags & UBDX_DESC_NOUNMAP))
		step->flags = UBDX_STEP_UNMAP;
	return 0;
}

static int stuck_resolve(struct ubdx_target *target, const struct ubdx_desc *d, uint64_t done,
			 struct ubdx_step *step)
{
	step->kind = UBDX_STEP_MEM;
	step->addr = target;
	step->length = 0;
	return 0;
}

static int refusing_resolve(struct ubdx_target *target, const struct ubdx_desc *d, uint64_t done,
			    struct ubdx_step *step)
{
	return done ? -ENOSPC : plain_resolve(target, d, done, step);
}

static struct ubdx_target_ops test_ops = { .name = "test" };
static struct ubdx_target test_target = { .ops = &test_ops };

static int memory_file(uint64_t bytes)
{
	int fd = memfd_create("ubdx-test", MFD_CLOEXEC);

	if (fd < 0 || ftruncate(fd, bytes))
		exit(EXIT_FAILURE);
	return fd;
}

static unsigned int messages;
static char message[512];

static void count_message(void *arg, int priority, const char *text)
{
	messages++;
	snprintf(message, sizeof(message), "%s", text);
}

static bool start(struct ubdx_queue *q, struct ubdx_target *target)
{
	static const struct ubdx_logger logger = { .log = count_message };
	const struct ubdx_queue_config config = {
		.depth = 1,
		.max_io_bytes = MAX_IO,
		.target = target,
		.channel = STDIN_FILENO,
		.xfer_modes = 1 << UBDX_XFER_COPY | 1 << UBDX_XFER_FORWARD,
		.may_forward = true,
		.logger = &logger,
	};

	return !ubdx_queue_init(q, &config);
}

static void pattern(char *buf, size_t bytes, unsigned int seed)
{
	size_t i;

	for (i = 0; i < bytes; i++)
		buf[i] = (seed = seed * 1103515245 + 12345) >> 16;
}

static bool zeroed(int fd, off_t from, size_t bytes)
{
	static char buf[MAX_IO];
	size_t i;

	if (pread(fd, buf, bytes, from) != (ssize_t)bytes)
		return false;
	for (i = 0; i < bytes; i++)
		if (buf[i])
			return false;
	return true;
}

/* ---- tests ---- */

static char data[MAX_IO];

static void extents(void)
{
	struct ubdx_queue q;

	test_ops.resolve = striped_resolve;
	test_target.nr_files = 2;
	test_target.files[0] = memory_file(2 << 20);
	test_target.files[1] = memory_file(2 << 20);
	ok(start(&q, &test_target), "a queue");

	pattern(data, sizeof(data), 1);
	memcpy(q.ios[0].buf, data, 300 << 10);
	is(request(&q, UBDX_OP_WRITE, 5120, 300 << 10, 0), 300 << 10, "a write over 26 extents");
	memset(q.ios[0].buf, 0, 300 << 10);
	is(request(&q, UBDX_OP_READ, 5120, 300 << 10, 0), 300 << 10, "the same read back");
	ok(!memcmp(q.ios[0].buf, data, 300 << 10), "has the same bytes");
	ubdx_queue_exit(&q);
	close(test_target.files[0]);
	close(test_target.files[1]);
}

static void ends(void)
{
	struct ubdx_queue q;
	int fd = memory_file(10000);

	test_ops.resolve = plain_resolve;
	test_target.nr_files = 1;
	test_target.files[0] = fd;
	start(&q, &test_target);
	is(request(&q, UBDX_OP_READ, 0, 8192, 0), 8192, "a read inside the file");
	is(request(&q, UBDX_OP_READ, 8192, 4096, 0), -EIO, "a read over its end");
	is(request(&q, UBDX_OP_READ, 65536, 4096, 0), -EIO, "a read behind its end");
	is(request(&q, UBDX_OP_FLUSH, 0, 0, 0), 0, "a flush");

	test_ops.resolve = refusing_resolve;
	is(request(&q, UBDX_OP_READ, 8192, 4096, 0), -ENOSPC, "the target fails after a part");
	test_ops.resolve = stuck_resolve;
	is(request(&q, UBDX_OP_WRITE, 0, 4096, 0), -EIO, "a step that covers nothing");
	ubdx_queue_exit(&q);
	close(fd);
}

static void *dribble(void *arg)
{
	size_t at;

	for (at = 0; at < 65536; at += 3000) {
		size_t left = 65536 - at;

		if (write(*(int *)arg, data + at, left < 3000 ? left : 3000) < 0)
			break;
	}
	return NULL;
}

static void shorts(void)
{
	struct ubdx_queue q;
	pthread_t writer;
	int fds[2];

	/* The pipe holds one page, so no read gets more at a time. */
	if (pipe(fds) || fcntl(fds[1], F_SETPIPE_SZ, 4096) != 4096)
		exit(EXIT_FAILURE);
	test_ops.resolve = plain_resolve;
	test_target.nr_files = 1;
	test_target.files[0] = fds[0];
	start(&q, &test_target);
	pthread_create(&writer, NULL, dribble, &fds[1]);
	is(request(&q, UBDX_OP_READ, 0, 65536, 0), 65536, "a read that comes in pieces");
	ok(!memcmp(q.ios[0].buf, data, 65536), "has every byte");
	pthread_join(writer, NULL);
	ubdx_queue_exit(&q);
	close(fds[0]);
	close(fds[1]);
}

static void zeroes(void)
{
	struct ubdx_queue q;
	int fd = memory_file(4 << 20);

	test_ops.resolve = plain_resolve;
	test_target.files[0] = fd;
	start(&q, &test_target);
	if (pwrite(fd, data, MAX_IO, 0) != MAX_IO || pwrite(fd, data, MAX_IO, MAX_IO) != MAX_IO)
		exit(EXIT_FAILURE);

	is(request(&q, UBDX_OP_DISCARD, 4096, 8192, 0), 0, "a discard");
	ok(zeroed(fd, 4096, 8192), "makes a hole");
	is(request(&q, UBDX_OP_WRITE_ZEROES, 16384, 1024, 0), 0, "zeroes that may be a hole");
	ok(zeroed(fd, 16384, 1024), "are zeroes");
	/* Memory files can't zero a range, so these zeroes are written, in several pieces. */
	is(request(&q, UBDX_OP_WRITE_ZEROES, 65536, 900 << 10, UBDX_DESC_NOUNMAP), 0,
	   "zeroes that may not");
	ok(zeroed(fd, 65536, 900 << 10), "are zeroes, too");
	ok(!zeroed(fd, 65536 - 512, 512) && !zeroed(fd, 65536 + (900 << 10), 512),
	   "and what is beside them is left alone");
	ubdx_queue_exit(&q);
	close(fd);
}

static void memory(void)
{
	struct ubdx_params params = { .numa_node = -1 };
	struct ubdx_target_config config;
	struct ubdx_target *target;
	struct ubdx_queue q;

	ubdx_target_config_init(&config);
	config.bytes = 4 << 20;
	is(ubdx_target_open(ubdx_target_find("mem"), &config, &params, &target), 0, "target mem");
	start(&q, target);
	memcpy(q.ios[0].buf, data, 65536);
	is(request(&q, UBDX_OP_WRITE, 1 << 20, 65536, 0), 65536, "mem: a write");
	memset(q.ios[0].buf, 1, 65536);
	is(request(&q, UBDX_OP_READ, 1 << 20, 65536, 0), 65536, "mem: a read");
	ok(!memcmp(q.ios[0].buf, data, 65536), "mem: the same bytes");
	is(request(&q, UBDX_OP_DISCARD, (1 << 20) + 512, 10240, 0), 0, "mem: a discard");
	is(request(&q, UBDX_OP_WRITE_ZEROES, (1 << 20) + 32768, 512, UBDX_DESC_NOUNMAP), 0,
	   "mem: zeroes");
	memset(data + 512, 0, 10240);
	memset(data + 32768, 0, 512);
	request(&q, UBDX_OP_READ, 1 << 20, 65536, 0);
	ok(!memcmp(q.ios[0].buf, data, 65536),
	   "mem: what was discarded reads as zeroes, the rest stays");
	is(request(&q, UBDX_OP_READ, 2 << 20, 65536, 0), 65536, "mem: never written");
	ok(!q.ios[0].buf[0] && !memcmp(q.ios[0].buf, q.ios[0].buf + 1, 65535),
	   "mem: reads as zeroes");
	ubdx_queue_exit(&q);
	ubdx_target_close(target);
}

static void acknowledged(void)
{
	struct ubdx_params params = { .numa_node = -1 };
	struct ubdx_target_config config;
	struct ubdx_target *target;
	struct ubdx_queue q;

	ubdx_target_config_init(&config);
	config.bytes = 4 << 20;
	is(ubdx_target_open(ubdx_target_find("null"), &config, &params, &target), 0, "target null");
	start(&q, target);
	is(request(&q, UBDX_OP_WRITE, 0, MAX_IO, 0), MAX_IO, "null: a write is served whole");
	is(request(&q, UBDX_OP_FLUSH, 0, 0, 0), 0, "null: a flush");
	is(request(&q, UBDX_OP_DISCARD, 0, 1 << 20, 0), 0,
	   "null: a discard has no bytes to report");
	ubdx_queue_exit(&q);
	ubdx_target_close(target);
}

/* ---- inspection ---- */

static char inspected[MAX_IO];
static uint64_t inspected_bytes;

static void remember(struct ubdx_target *target, const struct ubdx_desc *d, uint64_t pos,
		     const void *bytes, uint64_t length)
{
	if (pos != inspected_bytes || pos + length > MAX_IO)
		exit(EXIT_FAILURE);
	memcpy(inspected + pos, bytes, length);
	inspected_bytes = pos + length;
}

static void inspection(void)
{
	struct ubdx_queue q;

	test_ops.resolve = striped_resolve;
	test_ops.inspect = remember;
	test_target.inspect_bytes = 20000;
	test_target.nr_files = 2;
	test_target.files[0] = memory_file(2 << 20);
	test_target.files[1] = memory_file(2 << 20);
	start(&q, &test_target);
	pattern(data, sizeof(data), 3);

	memcpy(q.ios[0].buf, data, 65536);
	request(&q, UBDX_OP_WRITE, 4096, 65536, 0);
	is(inspected_bytes, 20000, "inspection: the first bytes of a write");
	ok(!memcmp(inspected, data, 20000), "inspection: are its own");
	inspected_bytes = 0;
	memset(inspected, 0, sizeof(inspected));
	request(&q, UBDX_OP_READ, 4096, 65536, 0);
	is(inspected_bytes, 20000, "inspection: the first bytes of a read, in two parts");
	ok(!memcmp(inspected, data, 20000), "inspection: are its own");
	inspected_bytes = 0;
	request(&q, UBDX_OP_READ, 4096, 4096, 0);
	is(inspected_bytes, 4096, "inspection: all of a short one");
	inspected_bytes = 0;
	request(&q, UBDX_OP_DISCARD, 4096, 4096, 0);
	is(inspected_bytes, 0, "inspection: nothing of a discard");

	ubdx_queue_exit(&q);
	close(test_target.files[0]);
	close(test_target.files[1]);
	test_target.inspect_bytes = 0;
	test_ops.inspect = NULL;
}

/*
 * Send one WRITE and one READ of @bytes through a touch filter. Returns the number of bytes that
 * the filter reports, or UINT64_MAX on failure; @sum: out: the checksum that it reports.
 */
static uint64_t touched(const char *part, uint64_t bytes, uint64_t *sum)
{
	struct ubdx_params params = { .numa_node = -1 };
	struct ubdx_target_config config;
	struct ubdx_target *target;
	char name[64], text[64] = "";
	struct ubdx_queue q;
	uint64_t seen = 0;
	int report = memory_file(0);

	snprintf(name, sizeof(name), "touch,%s,/proc/self/fd/%d:null", part, report);
	ubdx_target_config_init(&config);
	config.name = name;
	config.bytes = 4 << 20;
	if (ubdx_target_open(ubdx_target_find(name), &config, &params, &target))
		return UINT64_MAX;
	ok(!strcmp(target->kind, "null"), "touch: the device serves what is behind");
	start(&q, target);
	memcpy(q.ios[0].buf, data, bytes);
	is(request(&q, UBDX_OP_WRITE, 4096, bytes, 0), bytes, "touch: a write");
	is(request(&q, UBDX_OP_READ, 8192, bytes, 0), bytes, "touch: a read");
	ubdx_queue_exit(&q);
	ubdx_target_close(target);
	if (pread(report, text, sizeof(text) - 1, 0) > 0 &&
	    sscanf(text, "%" SCNu64 " %" SCNx64, &seen, sum) != 2)
		return UINT64_MAX;
	close(report);
	return seen;
}

static void touch(void)
{
	uint64_t header, all, other;

	pattern(data, sizeof(data), 3);
	is(touched("none", 65536, &other), 0, "touch: none of two payloads");
	is(touched("header", 65536, &header), 2 * 64, "touch: the headers");
	/* MAX_IO is more than the zeroes that the filter can give to a READ in one step. */
	is(touched("all", MAX_IO, &all), 2 * MAX_IO, "touch: all of them");
	ok(!other && header && all && header != all, "touch: checksums of each");
	data[MAX_IO - 1] ^= 1;
	touched("all", MAX_IO, &other);
	ok(other != all, "touch: the last byte counts");
	data[MAX_IO - 1] ^= 1;
	touched("all", MAX_IO, &other);
	ok(other == all, "touch: the same bytes, the same checksum");
}

/* ---- answers with extents ---- */

static struct ubdx_step first; /* for the first bytes of a request */
static struct ubdx_step then; /* for those that follow */

static int two_resolve(struct ubdx_target *target, const struct ubdx_desc *d, uint64_t done,
		       struct ubdx_step *step)
{
	*step = done ? then : first;
	step->offset += done;
	return 0;
}

/* Serve a request. Returns whether the answer is @nr extents of @total bytes together. */
static bool is_forwarded(struct ubdx_queue *q, uint8_t op, uint64_t bytes, unsigned int nr,
			 uint64_t total)
{
	const struct ubdx_io *io = &q->ios[0];
	uint64_t sum = 0;
	unsigned int i;

	if (request(q, op, 0, bytes, 0) != (int)total || io->nr_extents != nr)
		return false;
	for (i = 0; i < nr; i++)
		sum += io->extents[i].bytes;
	return sum == total;
}

static void forwarded(void)
{
	struct ubdx_queue q;

	desc_xfer = UBDX_XFER_FORWARD;
	test_ops.resolve = two_resolve;
	test_target.nr_files = 2;
	test_target.files[0] = memory_file(MAX_IO);
	test_target.files[1] = memory_file(MAX_IO);
	start(&q, &test_target);

	first = (struct ubdx_step){ .kind = UBDX_STEP_FILE, .length = UINT64_MAX, .offset = 512 };
	ok(is_forwarded(&q, UBDX_OP_WRITE, 65536, 1, 65536), "forward: one extent");
	is(q.ios[0].extents[0].offset, 512, "forward: where the target says");
	first.length = 4096;
	then = (struct ubdx_step){ .kind = UBDX_STEP_FILE, .length = UINT64_MAX, .file = 1 };
	ok(is_forwarded(&q, UBDX_OP_READ, 65536, 2, 65536), "forward: two");
	is(q.ios[0].extents[1].file, 1, "forward: the second in another file");
	is(q.ios[0].extents[1].offset, 4096, "forward: where the target says");
	then.length = 512;
	ok(is_forwarded(&q, UBDX_OP_READ, 65536, UBDX_MAX_EXTENTS,
			4096 + (UBDX_MAX_EXTENTS - 1) * 512),
	   "forward: as many as an answer can have");
	then = (struct ubdx_step){ .kind = UBDX_STEP_DONE, .flags = UBDX_STEP_NO_DATA };
	ok(is_forwarded(&q, UBDX_OP_WRITE, 65536, 1, 4096),
	   "forward: an extent, and nothing to do with the rest, which comes again");
	then = (struct ubdx_step){ .kind = UBDX_STEP_MEM, .addr = data, .length = 4096 };
	ok(is_forwarded(&q, UBDX_OP_WRITE, 65536, 1, 4096), "forward: an extent, then memory");
	first = (struct ubdx_step){ .kind = UBDX_STEP_DONE, .flags = UBDX_STEP_NO_DATA };
	is(request(&q, UBDX_OP_WRITE, 0, 65536, 0), 65536, "forward: nothing to do");
	is(q.ios[0].nr_extents, 0, "forward: has no extents");
	first = (struct ubdx_step){ .kind = UBDX_STEP_FILE,
				    .length = UINT64_MAX,
				    .flags = UBDX_STEP_DSYNC };
	request(&q, UBDX_OP_WRITE, 0, 4096, 0);
	is(q.ios[0].nr_extents, 0, "forward: a stable WRITE has none, unless the request has FUA");
	request(&q, UBDX_OP_WRITE, 0, 4096, UBDX_DESC_FUA);
	is(q.ios[0].nr_extents, 1, "forward: then it has one");
	first.flags = 0;
	q.ios[0].refused = true;
	q.ios[0].refused_seq = 0;
	request(&q, UBDX_OP_WRITE, 0, 4096, 0);
	is(q.ios[0].nr_extents, 0, "forward: nor does a request that the driver could not forward");
	q.ios[0].refused_seq = 1;
	ok(is_forwarded(&q, UBDX_OP_WRITE, 4096, 1, 4096), "forward: but the next one does");
	ubdx_queue_exit(&q);
	close(test_target.files[0]);
	close(test_target.files[1]);
	desc_xfer = UBDX_XFER_COPY;
}

/* ---- steps that do not fit ---- */

static struct ubdx_step lie;
static int lie_result;

static int lying_resolve(struct ubdx_target *target, const struct ubdx_desc *d, uint64_t done,
			 struct ubdx_step *step)
{
	*step = lie;
	return lie_result;
}

#define NO_FLAGS (1U << 31) /* no step of this kind fits the operation */

/* The flags that libubdx.h allows in a step of this kind for this operation. */
static uint32_t allowed_flags(uint8_t op, uint32_t kind)
{
	switch (kind) {
	case UBDX_STEP_DONE:
		return UBDX_STEP_NO_DATA;
	case UBDX_STEP_FILE:
		return op == UBDX_OP_WRITE ? UBDX_STEP_DSYNC : op == UBDX_OP_READ ? 0 : NO_FLAGS;
	case UBDX_STEP_MEM:
		return op == UBDX_OP_READ || op == UBDX_OP_WRITE ? 0 : NO_FLAGS;
	case UBDX_STEP_SYNC:
		return op == UBDX_OP_FLUSH ? 0 : NO_FLAGS;
	case UBDX_STEP_PUNCH:
		return op == UBDX_OP_DISCARD ? UBDX_STEP_BLOCK : NO_FLAGS;
	case UBDX_STEP_ZERO:
		return op == UBDX_OP_DISCARD || op == UBDX_OP_WRITE_ZEROES ? UBDX_STEP_UNMAP :
									     NO_FLAGS;
	default:
		return NO_FLAGS;
	}
}

static bool fits(uint8_t op, uint32_t kind, uint32_t flags)
{
	uint32_t allowed = allowed_flags(op, kind);

	if (allowed == NO_FLAGS || flags & ~allowed)
		return false;
	return kind != UBDX_STEP_DONE || op > UBDX_OP_WRITE || flags & UBDX_STEP_NO_DATA;
}

/*
 * Is the step in @lie refused? The request must fail with EIO and one message, which contains
 * @text, and must leave the file unchanged.
 */
static bool refuses(struct ubdx_queue *q, uint8_t op, uint32_t desc_flags, const char *text)
{
	static char now[MAX_IO];

	messages = 0;
	message[0] = 0;
	q->misfits = (struct ubdx_log_limit){ 0 };
	if (request(q, op, 0, op == UBDX_OP_FLUSH ? 0 : 65536, desc_flags) != -EIO ||
	    messages != 1 || !strstr(message, text))
		return false;
	return pread(q->target->files[0], now, MAX_IO, 0) == MAX_IO && !memcmp(now, data, MAX_IO);
}

/* Steps of every kind, with all combinations of flags, for every operation. */
static void every_step(struct ubdx_queue *q)
{
	static const uint32_t strange[] = { UBDX_NR_STEPS, 255, 256, 1U << 31, UINT32_MAX };
	static char room[65536];
	uint32_t i, kind, flags;
	uint8_t op;

	for (op = 0; op < UBDX_NR_OPS; op++)
		for (i = 0; i < UBDX_NR_STEPS + ARRAY_SIZE(strange); i++) {
			unsigned int wrong = 0, taken = 0;

			kind = i < UBDX_NR_STEPS ? i : strange[i - UBDX_NR_STEPS];
			for (flags = 0; flags < 64; flags++) {
				/* The four flags that exist, and two unknown ones. */
				lie = (struct ubdx_step){
					.kind = kind,
					.flags = (flags & 15) | (flags & 16) << 3 |
						 (flags & 32) << 26,
					.length = UINT64_MAX,
					.addr = room,
				};
				/* UBDX_STEP_BLOCK needs a block device, and this is a file. */
				if (fits(op, kind, lie.flags) && lie.flags & UBDX_STEP_BLOCK)
					continue;
				if (!fits(op, kind, lie.flags)) {
					wrong += !refuses(q, op, 0, "the step ");
					continue;
				}
				taken++;
				wrong += request(q, op, 0, op == UBDX_OP_FLUSH ? 0 : 65536, 0) !=
					 (op <= UBDX_OP_WRITE ? 65536 : 0);
				/* Restore what the request has changed. */
				if (pwrite(q->target->files[0], data, MAX_IO, 0) != MAX_IO)
					exit(EXIT_FAILURE);
			}
			ok(!wrong && !taken == (allowed_flags(op, kind) == NO_FLAGS),
			   "operation %u, kind %u: %u taken, the others refused", op, kind, taken);
		}
}

static void misfits(void)
{
	struct ubdx_queue q;
	int fd = memory_file(MAX_IO), i;

	test_ops.resolve = lying_resolve;
	test_target.nr_files = 1;
	test_target.files[0] = fd;
	start(&q, &test_target);
	pattern(data, sizeof(data), 7);
	if (pwrite(fd, data, MAX_IO, 0) != MAX_IO)
		exit(EXIT_FAILURE);
	memcpy(q.ios[0].buf, data, 65536);
	every_step(&q);

	lie = (struct ubdx_step){ .kind = UBDX_STEP_FILE, .file = 1, .length = 4096 };
	ok(refuses(&q, UBDX_OP_WRITE, 0, "names a file"), "a file too many");
	lie.file = UINT32_MAX;
	ok(refuses(&q, UBDX_OP_READ, 0, "names a file"), "a file out of all range");
	lie = (struct ubdx_step){ .kind = UBDX_STEP_SYNC, .file = 1 };
	ok(refuses(&q, UBDX_OP_FLUSH, 0, "names a file"), "no such file to sync");
	lie = (struct ubdx_step){ .kind = UBDX_STEP_PUNCH, .file = UBDX_TARGET_FILES, .length = 1 };
	ok(refuses(&q, UBDX_OP_DISCARD, 0, "names a file"), "no such file to punch");
	lie.kind = UBDX_STEP_ZERO;
	ok(refuses(&q, UBDX_OP_WRITE_ZEROES, 0, "names a file"), "no such file to zero");
	lie = (struct ubdx_step){ .kind = UBDX_STEP_ZERO };
	ok(refuses(&q, UBDX_OP_WRITE_ZEROES, 0, "covers nothing"), "no bytes to zero");
	lie = (struct ubdx_step){ .kind = UBDX_STEP_FILE };
	ok(refuses(&q, UBDX_OP_READ, 0, "covers nothing"), "no bytes to read");
	lie = (struct ubdx_step){ .kind = UBDX_STEP_FILE,
				  .offset = INT64_MAX - 4095,
				  .length = UINT64_MAX };
	ok(refuses(&q, UBDX_OP_WRITE, 0, "beyond"), "beyond the end of any file");
	lie.offset = UINT64_MAX;
	ok(refuses(&q, UBDX_OP_READ, 0, "beyond"), "before its start");
	lie = (struct ubdx_step){ .kind = UBDX_STEP_MEM, .length = 4096 };
	ok(refuses(&q, UBDX_OP_READ, 0, "invalid address"), "memory at NULL");
	lie.addr = (void *)(UINTPTR_MAX - 100);
	ok(refuses(&q, UBDX_OP_WRITE, 0, "invalid address"), "memory that wraps");
	lie = (struct ubdx_step){ .kind = UBDX_STEP_ZERO, .flags = UBDX_STEP_UNMAP, .length = 512 };
	ok(refuses(&q, UBDX_OP_WRITE_ZEROES, UBDX_DESC_NOUNMAP, "stay allocated"),
	   "a hole where space is to be kept");
	lie = (struct ubdx_step){ .kind = UBDX_STEP_FILE, .length = 65536 };
	lie_result = 5;
	ok(refuses(&q, UBDX_OP_READ, 0, "positive"), "a positive result");
	lie_result = 0;
	ok(refuses(&q, UBDX_NR_OPS, 0, "unknown operation"), "an unknown operation");

	lie.kind = UBDX_NR_STEPS;
	ok(refuses(&q, UBDX_OP_READ, 0, "unknown kind"), "an unknown kind");
	for (i = 0; i < 100; i++)
		request(&q, UBDX_OP_READ, 0, 4096, 0);
	is(messages, 1, "a hundred such requests at once are logged once");
	q.misfits.until = 0;
	request(&q, UBDX_OP_READ, 0, 4096, 0);
	ok(strstr(message, "(and 100 times before)"), "and the others are counted");
	ubdx_queue_exit(&q);
	close(fd);

	test_target.nr_files = UBDX_TARGET_FILES + 1;
	ok(!start(&q, &test_target) && strstr(ubdx_errmsg(), "files"),
	   "a target with too many files");
	ubdx_queue_exit(&q);
	test_target.nr_files = 1;
}

int main(void)
{
	struct io_uring ring;
	int ret = io_uring_queue_init(1, &ring, 0);

	if (ret)
		skip_all("no io_uring here");
	io_uring_queue_exit(&ring);
	extents();
	ends();
	shorts();
	zeroes();
	memory();
	acknowledged();
	inspection();
	touch();
	forwarded();
	misfits();
	return done();
}
