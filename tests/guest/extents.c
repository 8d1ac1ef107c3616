// SPDX-License-Identifier: GPL-2.0
/*
 * extents.c - a device with UBDX_F_EXTENTS: which bios use the extents that the server has left,
 * which come to the server, and what happens when extents are taken back.
 *
 *	extents FAST SLOW
 *
 * Two block devices of 64 MiB that keep what is written: FAST ends its I/O at once, SLOW after four
 * seconds.
 */
#define _GNU_SOURCE
#include <errno.h>
#include <fcntl.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/mman.h>
#include <sys/resource.h>
#include <sys/wait.h>
#include <unistd.h>

#include "front.h"
#include "tap.h"

enum { FAST, SLOW, READ_ONLY, MEMORY, NR_FILES };

#define AT (1 << 20) /* where client() writes and reads */
#define MEMORY_BYTES (1 << 20)

static unsigned int timeout_ms = 30000; /* of the devices */
static int files[NR_FILES]; /* our descriptors of what is registered under these numbers */

static void start(unsigned int recovery)
{
	unsigned int i;
	int ret;

	features = UBDX_F_EXTENTS;
	begin(UBDX_XFER_COPY, timeout_ms, recovery);
	for (i = 0; i < NR_FILES; i++) {
		ret = set_file(i, files[i]);
		if (ret)
			bail("registering file %u: %s", i, strerror(-ret));
	}
}

/* The I/O is under way: on the slow disk it takes four seconds. */
static bool is_slow(struct client *c)
{
	poll(NULL, 0, 1000);
	return !atomic_load(&c->done);
}

/* ---- what the driver takes ---- */

static void refuses(void)
{
	const uint64_t all = raw.add.params.dev_sectors;
	struct ubdx_map_extent two[2] = { { .nr_sectors = 16, .flags = RW },
					  { .sector = 8, .nr_sectors = 16, .flags = RW } };
	struct ubdx_map_args odd = { .addr = (uintptr_t)two, .nr = 1, .reserved = 1 };

	is(map_many(two, 2), -EINVAL, "extents that overlap");
	is(map_many(two, 0), -EINVAL, "no extents");
	is(map_many(two, UBDX_MAX_MAP_EXTENTS + 1), -EINVAL, "too many");
	is(map_many((void *)4096, 1), -EFAULT, "extents that can't be read");
	is(ioctl(raw.chan, UBDX_IOC_MAP, &odd) ? -errno : 0, -EINVAL, "a reserved field");
	two[0].reserved = 1;
	is(map_many(two, 1), -EINVAL, "a reserved field of an extent");
	is(map(0, 0, FAST, 0, RW), -EINVAL, "an extent of no sectors");
	is(map(0, 512, FAST, 0, 0), -EINVAL, "an extent for nothing");
	is(map(0, 512, FAST, 0, 1 << 3 | RW), -EINVAL, "an unknown flag");
	is(map(0, (all + 1) * 512, FAST, 0, RW), -EINVAL, "more than the device has");
	is(map((off_t)all * 512, 512, FAST, 0, RW), -EINVAL, "behind its end");
	is(map(0, 512, FAST, 100, RW), -EINVAL, "between two blocks of the file");
	is(map(0, 512, FAST, INT64_MAX - 511, RW), -EINVAL, "beyond what a file can hold");
	is(map(0, 512, 9, 0, RW), -EBADF, "no such file");
	is(map(0, 512, UBDX_MAX_FILES, 0, RW), -EBADF, "no such number");
	is(map(0, 512, READ_ONLY, 0, RW), -EBADF, "writing to a file that is open for reading");
	is(map(0, 512, MEMORY, MEMORY_BYTES, RW), -EINVAL, "behind the end of a file");
	is(map(0, 512, FAST, 0, RW | UBDX_EXTENT_HOLE), -EINVAL, "a hole that can be written");
	is(map(0, 512, FAST, 512, UBDX_EXTENT_READ | UBDX_EXTENT_HOLE), -EINVAL,
	   "a hole in a file");
	is(take_back(0, 0, 0), -EINVAL, "taking nothing back");
	is(take_back(0, 512, 2), -EINVAL, "an unknown flag");
	is(take_back(0, 512, UBDX_REVOKE_DRAIN), 0, "what isn't there can be taken back");
}

/* An extent that ended inside a block would make the driver split a block. */
static void large_blocks(void)
{
	block_bytes = 4096;
	start(UBDX_RECOVERY_FAIL);
	is(map(AT, BYTES, FAST, 4 << 20, RW), 0,
	   "a device with blocks of 4096 bytes has an extent");
	is(take_back(AT + 512, 4096, 0), -EINVAL, "   no revocation begins inside a block");
	is(take_back(AT, 512, 0), -EINVAL, "   or ends there");
	is(without_server(false, AT, BYTES), BYTES, "   so all of the extent is used still");
	is(end(), 0, "the device is deleted");
	block_bytes = 0;
}

static void without_the_feature(void)
{
	features = 0;
	begin(UBDX_XFER_COPY, 30000, UBDX_RECOVERY_FAIL);
	set_file(FAST, files[FAST]);
	is(map(0, 512, FAST, 0, RW), -EOPNOTSUPP, "a device without the feature has no extents");
	is(take_back(0, 512, 0), -EOPNOTSUPP, "   none to take back");
	is(end(), 0, "   it is deleted");
}

/* ---- hits and misses ---- */

/*
 * The request comes to the server, which waits for @before() and forwards it with these flags. Returns
 * the client's result.
 */
static int forwarded(bool write, off_t at, size_t bytes, unsigned int file, off_t offset,
		     unsigned int flags, int (*before)(void))
{
	const struct ubdx_desc *d;
	struct client c;
	int tag, ret;

	memcpy(mem, pattern, bytes);
	client_start(&c, write, mem, bytes, at);
	tag = raw_next(&q);
	if (tag < 0)
		bail("no request: %s", strerror(-tag));
	d = &q.desc[tag];
	if (before && before())
		bail("what comes before the answer");
	ret = raw_forward(&q, 0, tag, d->seq, bytes,
			  UBDX_COMMIT_FORWARD | flags | file << UBDX_COMMIT_FILE_SHIFT, offset);
	if (ret != -EINPROGRESS)
		bail("the answer: %s", strerror(-ret));
	return client_end(&c);
}

static int take_all_back(void)
{
	return take_back(0, raw.add.params.dev_sectors * 512, 0);
}

static int refused_flags(void)
{
	return raw_forward(&q, 0, 0, 0, BYTES, UBDX_COMMIT_FORWARD | UBDX_COMMIT_KEEP_WRITES, 0) !=
	       -EINVAL;
}

/* Extents that come with an answer. */
static void keeps(void)
{
	const unsigned int both = UBDX_COMMIT_KEEP | UBDX_COMMIT_KEEP_WRITES;
	long kept = counter("extents", "kept"), dropped = counter("extents", "dropped");

	take_all_back();
	poll(NULL, 0, 20); /* what comes in the same jiffy isn't kept */
	is(forwarded(false, AT, BYTES, FAST, 12 << 20, 0, NULL), BYTES, "a READ is forwarded");
	poll(NULL, 0, 100);
	is(counter("extents", "extents"), 0, "   and nothing is kept");
	is(forwarded(false, AT, BYTES, FAST, 12 << 20, UBDX_COMMIT_KEEP, refused_flags), BYTES,
	   "a READ is forwarded, and may be kept");
	ok(within(5, counter("extents", "kept") == kept + 1), "   it is kept");
	is(without_server(false, AT, BYTES), BYTES, "   the next one doesn't come to the server");
	is(forwarded(true, AT, BYTES, FAST, 12 << 20, both, NULL), BYTES,
	   "   but a WRITE does, and may be kept");
	ok(within(5, counter("extents", "kept") == kept + 2), "   it is kept");
	is(without_server(true, AT, BYTES), BYTES, "   the next one doesn't come");
	ok(file_has(files[FAST], 12 << 20, pattern, BYTES), "   and is in its place");
	is(counter("extents", "extents"), 1, "   there is one extent");
	is(counter("extents", "dropped"), dropped, "   nothing was dropped");

	take_all_back();
	poll(NULL, 0, 20);
	is(forwarded(false, AT, BYTES, FAST, 12 << 20, both, take_all_back), BYTES,
	   "an answer that a revocation has overtaken");
	ok(within(5, counter("extents", "dropped") > dropped), "   is dropped");
	is(with_server(false, AT, BYTES), BYTES, "   so the next READ comes to the server");
	dropped = counter("extents", "dropped");
	is(forwarded(false, AT, BYTES, READ_ONLY, 0, both, NULL), BYTES,
	   "an extent for WRITEs in a file that is open for reading");
	ok(within(5, counter("extents", "dropped") > dropped), "   is dropped");
	is(take_all_back(), 0, "   all are taken back");
}

static void hits(void)
{
	is(map(AT, BYTES, FAST, 4 << 20, RW), 0, "an extent");
	is(without_server(true, AT, BYTES), BYTES, "   a WRITE doesn't come to the server");
	ok(file_has(files[FAST], 4 << 20, pattern, BYTES), "   it is in the extent's place");
	is(without_server(false, AT, BYTES), BYTES, "   nor does a READ");
	ok(!memcmp(mem, pattern, BYTES), "   it has the bytes");
	is(without_server(false, AT + BYTES - 512, 512), 512, "   its last block is in it");
	is(with_server(true, AT - 512, 1024), 1024, "   what begins before it comes to the server");
	is(partly_with_server(false, AT + BYTES - 512, 1024, AT + BYTES, 512), 1024,
	   "   so does the part of a READ that is behind it");
	is(with_server(false, AT + BYTES, 512), 512, "   and what isn't in it");
}

static void directions(void)
{
	is(map(AT, BYTES, READ_ONLY, 4 << 20, UBDX_EXTENT_READ), 0, "an extent for READs");
	is(without_server(false, AT, BYTES), BYTES, "   serves a READ");
	is(with_server(true, AT, BYTES), BYTES, "   a WRITE comes to the server");
	is(map(AT, BYTES, 0, 0, UBDX_EXTENT_READ | UBDX_EXTENT_HOLE), 0, "a hole");
	memset(scratch, 0, BYTES);
	is(without_server(false, AT, BYTES), BYTES, "   serves a READ");
	ok(!memcmp(mem, scratch, BYTES), "   with zeroes");
	is(with_server(true, AT, BYTES), BYTES, "   a WRITE comes to the server");
}

/* An extent is cut in three; the first and the last part still lead to the right place. */
static void cut(void)
{
	const unsigned int third = 16384;
	unsigned int i;

	is(map(AT, BYTES, FAST, 8 << 20, RW), 0, "an extent");
	is(without_server(true, AT, BYTES), BYTES, "   is written");
	is(take_back(AT + third, third, 0), 0, "   a part is taken back");
	is(with_server(true, AT + third, third), third, "   and comes to the server");
	is(partly_with_server(true, AT, BYTES, AT + third, BYTES - third), BYTES,
	   "   as does the rest of what begins before that part");
	for (i = 0; i < 4; i++) {
		if (i == 1)
			continue;
		is(without_server(false, AT + i * third, third), third, "   the rest doesn't");
		ok(!memcmp(mem, pattern + i * third, third), "   it has its bytes");
	}
	is(map(AT + third, third, FAST, (8 << 20) + third, RW), 0, "   the part comes back");
	is(without_server(false, AT, BYTES), BYTES, "   and the extent is whole");
	ok(!memcmp(mem, pattern, BYTES), "   with all bytes");
}

/* Extents of one block each, in any order. On the file the blocks are in reverse order. */
static void a_regular_file(void)
{
	const long punted = counter("extents", "write_punted");
	struct rlimit old, limit;

	is(map(AT, BYTES, MEMORY, 512, RW), 0, "an extent of a regular file");
	is(without_server(true, AT, BYTES), BYTES, "   a WRITE doesn't come to the server");
	ok(file_has(files[MEMORY], 512, pattern, BYTES), "   its bytes are there");
	is(counter("extents", "write_punted"), punted + 1, "   a worker has written them");
	is(without_server(false, AT, BYTES), BYTES, "   a READ");
	ok(!memcmp(mem, pattern, BYTES), "   has them");
	is(partly_with_server(true, AT + BYTES - 4096, 8192, AT + BYTES, 4096), 8192,
	   "   of a WRITE that goes beyond the extent, only the rest comes");
	ok(file_has(files[MEMORY], 512 + BYTES - 4096, pattern, 4096),
	   "   the file has the other part");

	if (ftruncate(files[MEMORY], 512 + 4096))
		bail("ftruncate: %m");
	is(without_server(false, AT, 4096), 4096,
	   "   the file is truncated: what is left can be read");
	is(with_server(false, AT, BYTES), BYTES, "   a READ beyond the end comes to the server");
	is(with_server(true, AT + 8192, 4096), 4096, "   so does a WRITE behind it");
	ok(lseek(files[MEMORY], 0, SEEK_END) == 512 + 4096, "   which doesn't extend the file");
	is(map(AT, BYTES, MEMORY, 512, RW), -EINVAL, "   the extent can't be set again");
	if (ftruncate(files[MEMORY], MEMORY_BYTES))
		bail("ftruncate: %m");

	getrlimit(RLIMIT_FSIZE, &old);
	limit = (struct rlimit){ .rlim_cur = 1 << 19, .rlim_max = old.rlim_max };
	setrlimit(RLIMIT_FSIZE, &limit);
	set_file(MEMORY, files[MEMORY]);
	setrlimit(RLIMIT_FSIZE, &old);
	is(with_server(false, AT, BYTES), BYTES, "   it is registered again: the extent is gone");
	is(map(AT, BYTES, MEMORY, (1 << 19) - 4096, RW), -EINVAL,
	   "   WRITEs beyond the RLIMIT_FSIZE that it had then");
	is(map(AT, BYTES, MEMORY, (1 << 19) - 4096, UBDX_EXTENT_READ), 0, "   READs can go there");
	is(without_server(false, AT, BYTES), BYTES, "   and do");
	is(take_back(AT, BYTES, UBDX_REVOKE_DRAIN), 0, "   the extent is taken back");
	set_file(MEMORY, files[MEMORY]);
}

static void many(void)
{
	enum { NR = 8192 };
	struct ubdx_map_extent *extents = raw_mem(NR * sizeof(*extents));
	unsigned int i, wrong = 0;
	char block[512] __attribute__((aligned(512)));

	for (i = 0; i < NR; i++) {
		unsigned int from = (i * 4099U) % NR;

		extents[i] = (struct ubdx_map_extent){ .sector = from,
						       .nr_sectors = 1,
						       .offset = (uint64_t)(NR - 1 - from) * 512,
						       .flags = RW };
		memset(block, 0, sizeof(block));
		memcpy(block, &from, sizeof(from));
		if (pwrite(files[FAST], block, 512, extents[i].offset) != 512)
			bail("writing: %m");
	}
	is(map_many(extents, NR), 0, "8192 extents");
	for (i = 0; i < NR; i++) {
		unsigned int found;

		if (pread(bdev, block, 512, (off_t)i * 512) != 512)
			bail("reading: %m");
		memcpy(&found, block, sizeof(found));
		wrong += found != i;
	}
	is(wrong, 0, "   each block is read from its place");
	is(take_back(0, NR * 512, UBDX_REVOKE_DRAIN), 0, "   they are taken back");
	is(with_server(false, 0, 4096), 4096, "   and come to the server");
	munmap(extents, NR * sizeof(*extents));
}

/* ---- I/O under way ---- */

/* UBDX_CMD_REVOKE doesn't block its caller. */
static void drains_later(void)
{
	const struct ubdx_revoke_cmd arg = { .sector = AT >> 9, .nr_sectors = BYTES >> 9 };
	struct io_uring_sqe *sqe;
	struct io_uring_cqe *cqe;
	struct io_uring ring;
	struct client c;

	is(map(AT, BYTES, SLOW, 0, RW), 0, "an extent on a slow disk");
	client_start(&c, true, mem, BYTES, AT);
	ok(is_slow(&c), "   a WRITE is under way");
	if (io_uring_queue_init(4, &ring, 0))
		bail("a ring");
	sqe = io_uring_get_sqe(&ring);
	io_uring_prep_rw(IORING_OP_URING_CMD, sqe, raw.chan, NULL, UBDX_REVOKE_DRAIN, 0);
	sqe->cmd_op = UBDX_CMD_REVOKE;
	memcpy(sqe->cmd, &arg, sizeof(arg));
	is(io_uring_submit(&ring), 1, "   a command revokes it");
	ok(within(1, !counter("extents", "extents")), "   soon");
	ok(!atomic_load(&c.done) && io_uring_peek_cqe(&ring, &cqe), "   and waits");
	if (io_uring_wait_cqe(&ring, &cqe))
		bail("no CQE");
	is(cqe->res, 0, "   it completes");
	ok(within(1, atomic_load(&c.done)), "   when the WRITE has ended");
	is(client_end(&c), BYTES, "   well");
	io_uring_queue_exit(&ring);
}

static void drains(void)
{
	struct client c;

	is(map(AT, BYTES, SLOW, 0, RW), 0, "an extent on a slow disk");
	memcpy(mem, pattern, BYTES);
	client_start(&c, true, mem, BYTES, AT);
	ok(is_slow(&c), "   a WRITE is under way");
	is(take_back(AT, BYTES, 0), 0, "   the extent is taken back");
	ok(!atomic_load(&c.done), "   at once");
	is(take_back(AT, BYTES, UBDX_REVOKE_DRAIN), 0, "   and what has used it is waited for");
	ok(within(1, atomic_load(&c.done)), "   until it has ended");
	is(client_end(&c), BYTES, "   well");
	ok(file_has(files[SLOW], 0, pattern, BYTES), "   with its bytes on the disk");
	is(with_server(true, AT, BYTES), BYTES, "   the next WRITE comes to the server");
}

static void removes(void)
{
	struct client c;

	is(map(AT, BYTES, SLOW, BYTES, RW), 0, "an extent on a slow disk");
	memcpy(mem, pattern, BYTES);
	client_start(&c, true, mem, BYTES, AT);
	ok(is_slow(&c), "   a WRITE is under way");
	is(set_file(SLOW, -1), 0, "   its file is removed");
	is(client_end(&c), BYTES, "   the WRITE ends well");
	ok(file_has(files[SLOW], BYTES, pattern, BYTES), "   with its bytes on the disk");
	is(with_server(true, AT, BYTES), BYTES, "   the next one comes to the server");
	is(set_file(SLOW, files[SLOW]), 0, "   the file comes back");
	is(with_server(true, AT, BYTES), BYTES, "   but not the extent");
}

static void dies_alone(void)
{
	struct client c;

	start(UBDX_RECOVERY_FAIL);
	is(map(AT, BYTES, SLOW, 0, RW), 0, "a server has an extent on a slow disk");
	memset(mem, 0x3c, BYTES);
	client_start(&c, true, mem, BYTES, AT);
	ok(is_slow(&c), "   a WRITE is under way");
	close(bdev);
	raw_queue_exit(&q);
	close(raw.chan);
	is(client_end(&c), BYTES, "   the server goes: the WRITE ends well");
	memset(pattern, 0x3c, BYTES);
	ok(file_has(files[SLOW], 0, pattern, BYTES), "   and is on the disk");
	ok(raw_gone(&raw, 10), "   the device goes");
	raw_ctl(&raw, UBDX_IOC_DEL, UBDX_CTL_FORCE);
	close(raw.ctl);
}

/* A server that leaves an extent on the slow disk, and dies when its parent says so. */
static void serve_and_die(int tell, int ask)
{
	char go;

	start(UBDX_RECOVERY_REISSUE);
	close(bdev);
	if (map(AT, BYTES, SLOW, 2 * BYTES, RW) ||
	    write(tell, &raw.add.id, sizeof(raw.add.id)) < 0 || read(ask, &go, 1) < 0)
		_exit(1);
	_exit(0);
}

static void successor_waits(void)
{
	struct client c;
	int tell[2], ask[2], status;
	pid_t server;

	if (pipe2(tell, O_CLOEXEC) || pipe2(ask, O_CLOEXEC))
		bail("pipe");
	server = fork();
	if (!server)
		serve_and_die(tell[1], ask[0]);
	begin_as_client(tell[0]);
	memset(mem, 0x5a, BYTES);
	memset(pattern, 0x5a, BYTES);
	client_start(&c, true, mem, BYTES, AT);
	ok(is_slow(&c), "a WRITE in an extent is under way");
	if (write(ask[1], "", 1) < 0)
		bail("pipe");
	waitpid(server, &status, 0);
	is(status, 0, "   its server dies");
	if (!within(10, !raw_open(&raw)) || raw_queue_init(&raw, &q, 0) || raw_fetch_all(&q))
		bail("the next server");
	is(map(AT, BYTES, FAST, 0, RW), -EAGAIN,
	   "   its successor has no extents before it starts");
	is(raw_ctl(&raw, UBDX_IOC_START, 0), 0, "   it starts");
	ok(within(1, atomic_load(&c.done)), "   when the WRITE has ended, and not before");
	is(client_end(&c), BYTES, "   well");
	ok(file_has(files[SLOW], 2 * BYTES, pattern, BYTES), "   it is on the disk");
	is(with_server(true, AT, BYTES), BYTES, "   the next one comes to the successor");
	is(end(), 0, "   the device is deleted");
}

/* ---- a hand-over that fails ---- */

static void *quiesce(void *arg)
{
	*(int *)arg = raw_ctl(&raw, UBDX_IOC_QUIESCE, 0);
	return NULL;
}

/* QUIESCE gives up before the slow disk's WRITE has ended. */
static void hand_over_fails(void)
{
	pthread_t thread;
	struct client c;
	int ret;

	timeout_ms = 1000;
	start(UBDX_RECOVERY_QUEUE);
	timeout_ms = 30000;
	is(map(AT, BYTES, SLOW, 0, RW), 0, "an extent on a slow disk");
	memcpy(mem, pattern, BYTES);
	client_start(&c, true, mem, BYTES, AT);
	poll(NULL, 0, 300);
	if (pthread_create(&thread, NULL, quiesce, &ret))
		bail("thread");
	poll(NULL, 0, 300);
	is(map(AT, BYTES, FAST, 0, RW), -ENODEV, "   during a hand-over there are no extents");
	is(take_back(AT, BYTES, UBDX_REVOKE_DRAIN), -ENODEV, "   they were revoked");
	ok(within(1, atomic_load(&c.done)), "   but a drain waits for what has used them");
	is(client_end(&c), BYTES, "   which ends well");
	pthread_join(thread, NULL);
	is(ret, -ETIME, "   the hand-over has failed");
	is(map(AT, BYTES, FAST, 0, RW), 0, "   and the server can set extents again");
	is(without_server(true, AT, BYTES), BYTES, "   that are used");
	is(end(), 0, "   the device is deleted");
}

/* The server dies while QUIESCE waits. When QUIESCE has failed, a dead server must not have extents. */
static void dies_in_hand_over(void)
{
	int tell[2], ask[2], status, ret;
	pthread_t thread;
	struct client c;
	pid_t child;

	if (pipe2(tell, O_CLOEXEC) || pipe2(ask, O_CLOEXEC))
		bail("pipe");
	timeout_ms = 1000;
	child = fork();
	if (!child)
		serve_and_die(tell[1], ask[0]);
	timeout_ms = 30000;
	begin_as_client(tell[0]);
	is(set_resolver("none"), 0, "a device has a server");
	client_start(&c, true, mem, BYTES, AT);
	poll(NULL, 0, 300);
	if (pthread_create(&thread, NULL, quiesce, &ret))
		bail("thread");
	poll(NULL, 0, 300);
	if (write(ask[1], "", 1) < 0)
		bail("pipe");
	waitpid(child, &status, 0);
	pthread_join(thread, NULL);
	is(ret, -ETIME, "   which dies in a hand-over, which fails");
	is(set_resolver("none"), -ENODEV, "   it can't have a resolver or extents any more");
	is(client_end(&c), BYTES, "   a WRITE that was under way ends well");
	close(bdev);
	is(raw_ctl(&raw, UBDX_IOC_DEL, UBDX_CTL_FORCE), 0, "   the device is deleted");
	close(raw.ctl);
}

int main(int argc, char **argv)
{
	unsigned int i;

	if (argc != 3)
		bail("usage: extents FAST SLOW");
	files[FAST] = open(argv[1], O_RDWR | O_DIRECT | O_CLOEXEC);
	files[SLOW] = open(argv[2], O_RDWR | O_DIRECT | O_CLOEXEC);
	files[READ_ONLY] = open(argv[1], O_RDONLY | O_DIRECT | O_CLOEXEC);
	files[MEMORY] = memfd_create("memory", MFD_CLOEXEC);
	if (ftruncate(files[MEMORY], MEMORY_BYTES))
		bail("memfd: %m");
	for (i = 0; i < NR_FILES; i++)
		if (files[i] < 0)
			bail("file %u: %m", i);
	front_buffers();

	without_the_feature();
	start(UBDX_RECOVERY_FAIL);
	refuses();
	hits();
	keeps();
	directions();
	cut();
	a_regular_file();
	many();
	drains();
	drains_later();
	removes();
	is(end(), 0, "the device is deleted");
	large_blocks();
	dies_alone();
	successor_waits();
	hand_over_fails();
	dies_in_hand_over();
	return done();
}
