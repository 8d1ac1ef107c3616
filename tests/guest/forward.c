// SPDX-License-Identifier: GPL-2.0
/*
 * forward.c - answers with UBDX_COMMIT_FORWARD: each byte goes to its place, wrong answers fail,
 * and a request that was forwarded ends without an error even if its server dies.
 *
 *	forward FAST SLOW
 *
 * Two block devices of 64 MiB that keep what is written: FAST ends its I/O after microseconds, SLOW
 * after four seconds, both in an interrupt.
 */
#define _GNU_SOURCE
#include <errno.h>
#include <fcntl.h>
#include <linux/fs.h>
#include <sched.h>
#include <signal.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/mman.h>
#include <sys/resource.h>
#include <sys/wait.h>
#include <unistd.h>

#include "front.h"
#include "tap.h"

enum { FAST, SLOW, MEMORY, READ_ONLY, NR_FILES };

#define FILE_BYTES (64U << 20)
#define AT (1 << 20) /* where client() writes and reads */

static int files[NR_FILES]; /* our descriptors of what is registered under these numbers */

static void register_files(void)
{
	unsigned int i;
	int ret;

	for (i = 0; i < NR_FILES; i++) {
		ret = set_file(i, files[i]);
		if (ret)
			bail("registering file %u: %s", i, strerror(-ret));
	}
}

/* ---- answers ---- */

static int answer(const struct ubdx_desc *d, uint64_t addr, unsigned int flags, int res)
{
	return raw_forward(&q, 0, d->tag, d->seq, res, flags, addr);
}

/* An answer of one extent. */
static int forward(const struct ubdx_desc *d, unsigned int file, uint64_t offset,
		   unsigned int bytes)
{
	return answer(d, offset, UBDX_COMMIT_FORWARD | file << UBDX_COMMIT_FILE_SHIFT, bytes);
}

static int forward_to(const struct ubdx_desc *d, const struct ubdx_extent *extents, unsigned int nr)
{
	return answer(d, (uintptr_t)extents, UBDX_COMMIT_FORWARD | UBDX_COMMIT_EXTENTS, nr);
}

/* Forward the client's only request. Returns the client's result. */
static int ends(struct client *c, const struct ubdx_desc *d, unsigned int file, uint64_t offset,
		unsigned int bytes)
{
	int ret = forward(d, file, offset, bytes);

	return ret == -EINPROGRESS ? client_end(c) : ret;
}

/* Forward a part of the client's only request. Returns the rest, which comes as a new one. */
static const struct ubdx_desc *rest(const struct ubdx_desc *d, unsigned int file, uint64_t offset,
				    unsigned int bytes)
{
	int tag = d->tag, ret = forward(d, file, offset, bytes);

	if (ret == -EINPROGRESS)
		tag = raw_next(&q);
	else if (ret)
		bail("an answer is refused: %s", strerror(-ret));
	return &q.desc[tag];
}

static const struct ubdx_desc *write_request(struct client *c)
{
	memcpy(mem, pattern, BYTES);
	return client(c, true, mem, BYTES);
}

static const struct ubdx_desc *read_request(struct client *c)
{
	memset(mem, 0xa5, BYTES);
	return client(c, false, mem, BYTES);
}

/* ---- files ---- */

static void registers(void)
{
	struct ubdx_file odd = { .index = 9, .fd = files[MEMORY], .reserved = 1 };
	int pipes[2], own;
	char path[32];

	if (pipe2(pipes, O_CLOEXEC))
		bail("pipe");
	is(set_file(UBDX_MAX_FILES, files[MEMORY]), -EINVAL, "a number that is too large");
	is(ioctl(raw.chan, UBDX_IOC_SET_FILE, &odd) ? -errno : 0, -EINVAL, "a reserved field");
	is(set_file(9, -2), -EINVAL, "a descriptor below -1");
	is(set_file(9, 4000), -EBADF, "no such descriptor");
	is(set_file(9, pipes[0]), -EINVAL, "a pipe");
	is(set_file(9, raw.chan), -EINVAL, "the channel");
	is(set_file(9, -1), -ENOENT, "nothing to remove");
	own = raw_bdev(&raw, O_RDWR);
	is(set_file(9, own), -ELOOP, "the device itself");
	close(own);
	snprintf(path, sizeof(path), "/proc/self/fd/%d", files[MEMORY]);
	own = open(path, O_RDWR | O_APPEND | O_CLOEXEC);
	is(set_file(9, own), -EINVAL, "a file that is appended to");
	close(own);
	is(set_file(9, files[MEMORY]), 0, "a file");
	is(set_file(9, files[FAST]), 0, "   is replaced");
	is(set_file(9, -1), 0, "   and removed");
	close(pipes[0]);
	close(pipes[1]);
}

/* ---- bytes ---- */

static void one_place(unsigned int file, off_t at, const char *what)
{
	const struct ubdx_desc *d;
	struct client c;

	d = write_request(&c);
	is(ends(&c, d, file, at, BYTES), BYTES, what);
	ok(file_has(files[file], at, pattern, BYTES), "   a WRITE's bytes are there");
	d = read_request(&c);
	is(ends(&c, d, file, at, BYTES), BYTES, "   a READ");
	ok(!memcmp(mem, pattern, BYTES), "   has them");
}

/* The request in 64 extents, in another order, on a device and a regular file. */
static void many_places(void)
{
	const unsigned int step = BYTES / UBDX_MAX_EXTENTS;
	struct ubdx_extent extents[UBDX_MAX_EXTENTS];
	const struct ubdx_desc *d;
	unsigned int i, wrong = 0;
	struct client c;

	for (i = 0; i < UBDX_MAX_EXTENTS; i++)
		extents[i] = (struct ubdx_extent){
			.offset = (i * 37 % UBDX_MAX_EXTENTS) * 8192 + 4096,
			.bytes = step,
			.file = i % 3 == 0 ? FAST : MEMORY,
		};
	d = write_request(&c);
	is(forward_to(d, extents, UBDX_MAX_EXTENTS), -EINPROGRESS, "64 places");
	is(client_end(&c), BYTES, "   take a WRITE");
	for (i = 0; i < UBDX_MAX_EXTENTS; i++)
		wrong += !file_has(files[extents[i].file], extents[i].offset, pattern + i * step,
				   step);
	is(wrong, 0, "   and have its bytes");
	d = read_request(&c);
	is(forward_to(d, extents, UBDX_MAX_EXTENTS), -EINPROGRESS, "   as a READ");
	is(client_end(&c), BYTES, "   it ends");
	ok(!memcmp(mem, pattern, BYTES), "   with these bytes");
}

/* What isn't served comes as a new request. */
static void the_rest_comes_again(void)
{
	const struct ubdx_desc *d;
	struct client c;

	d = rest(write_request(&c), FAST, 1 << 20, 8192);
	is(d->nr_sectors, (BYTES - 8192) / 512,
	   "fewer bytes than the request has: the rest comes again");
	is(d->sector, ((1 << 20) + 8192) / 512, "   from where the first part ended");
	is(ends(&c, d, FAST, (1 << 20) + 8192, BYTES - 8192), BYTES, "   and is served");
	ok(file_has(files[FAST], 1 << 20, pattern, BYTES), "   all bytes are there");

	d = rest(read_request(&c), MEMORY, FILE_BYTES - 4096, BYTES);
	is(d->nr_sectors, (BYTES - 4096) / 512, "a file that ends early: the rest comes again");
	is(ends(&c, d, MEMORY, FILE_BYTES, d->nr_sectors * 512), -EIO,
	   "   a file that has ended fails it");
}

/* ---- answers that fail ---- */

static void fails(const char *what, unsigned int file, uint64_t offset, unsigned int bytes)
{
	const struct ubdx_desc *d;
	struct client c;

	d = write_request(&c);
	is(ends(&c, d, file, offset, bytes), -EIO, what);
}

static void wrong_answers(void)
{
	static const struct ubdx_extent too_many[2] = { { .bytes = BYTES }, { .bytes = 512 } },
					none[2] = { { .bytes = 4096 }, {} },
					odd[2] = { { .bytes = 100, .file = MEMORY },
						   { .bytes = 4096, .file = FAST } };
	const struct ubdx_desc *d;
	struct rlimit limit, old;
	int on = 1, off = 0;
	struct client c;

	fails("no such file", 10, 0, BYTES);
	fails("no such number", UBDX_MAX_FILES, 0, BYTES);
	fails("between two logical blocks", FAST, 100, BYTES);
	fails("half a logical block", FAST, 0, 4096 + 100);
	fails("more bytes than the request has", FAST, 0, BYTES + 512);
	fails("no bytes", FAST, 0, 0);
	fails("beyond the device's end", FAST, FILE_BYTES, BYTES);
	fails("beyond what a file can hold", MEMORY, INT64_MAX - 4096, BYTES);
	fails("a file that is open for reading only", READ_ONLY, 0, BYTES);

	signal(SIGXFSZ, SIG_DFL);
	getrlimit(RLIMIT_FSIZE, &old);
	limit = (struct rlimit){ 1 << 20, old.rlim_max };
	setrlimit(RLIMIT_FSIZE, &limit);
	fails("a WRITE beyond RLIMIT_FSIZE", MEMORY, 1 << 20, BYTES);
	setrlimit(RLIMIT_FSIZE, &old);

	d = write_request(&c);
	is(forward_to(d, too_many, 2), -EINPROGRESS, "extents of more bytes than the request has");
	is(client_end(&c), -EIO, "   fail it");
	d = write_request(&c);
	is(forward_to(d, none, 2), -EINPROGRESS, "an extent of no bytes");
	is(client_end(&c), -EIO, "   fails it");
	d = write_request(&c);
	is(forward_to(d, odd, 2), -EINPROGRESS, "an extent that begins inside a block");
	is(client_end(&c), -EIO, "   fails it");

	if (ioctl(files[FAST], BLKROSET, &on))
		bail("BLKROSET");
	fails("a disk that has become read-only", FAST, 0, BYTES);
	ioctl(files[FAST], BLKROSET, &off);

	d = write_request(&c);
	is(forward_to(d, (void *)4096, 2), -EFAULT, "extents that can't be read");
	is(forward_to(d, none, 0), -EINVAL, "no extents");
	is(forward_to(d, none, UBDX_MAX_EXTENTS + 1), -EINVAL, "too many");
	is(answer(d, 0, 1U << UBDX_COMMIT_FILE_SHIFT, BYTES), -EINVAL, "a file without FORWARD");
	is(answer(d, 0, UBDX_COMMIT_EXTENTS, 1), -EINVAL, "EXTENTS without FORWARD");
	is(answer(d, 0, 1 << 5 | UBDX_COMMIT_FORWARD, BYTES), -EINVAL, "an unknown flag");
	is(ends(&c, d, FAST, 0, BYTES), BYTES, "   the request is still there, and is served");
}

/* ---- while the I/O is under way ---- */

static void out_of_reach(void)
{
	const struct ubdx_desc *d;
	struct client c;
	off_t at;

	d = write_request(&c);
	at = pos(d, 0);
	is(pread(raw.chan, scratch, BYTES, at), BYTES, "before the answer the payload can be read");
	is(forward(d, SLOW, 0, BYTES), -EINPROGRESS, "a slow disk");
	is(neg(pread(raw.chan, scratch, BYTES, at)), -ESTALE, "   after the answer it can't");
	ok(client_waits(&c), "   the request waits for the disk");
	is(client_end(&c), BYTES, "   and ends well");
	ok(file_has(files[SLOW], 0, pattern, BYTES), "   with its bytes on the disk");
}

static void removed(void)
{
	const struct ubdx_desc *d;
	struct client c;

	d = write_request(&c);
	is(forward(d, SLOW, BYTES, BYTES), -EINPROGRESS, "a file is used");
	is(set_file(SLOW, -1), 0, "   and removed");
	is(client_end(&c), BYTES, "   the I/O ends well");
	fails("   but there is no more", SLOW, 0, BYTES);
	is(set_file(SLOW, files[SLOW]), 0, "   until it is registered again");
}

/* A thread that touches the request's place in the window again and again. */
static atomic_int touching; /* 0: the thread ends */
static atomic_uint touches;

static void *toucher(void *at)
{
	while (atomic_load(&touching)) {
		look(at);
		atomic_fetch_add(&touches, 1);
	}
	return NULL;
}

/*
 * A thread of the server maps the request's pages at the moment of the answer. Either the answer is
 * refused, or the pages are unmapped before the I/O begins.
 */
static void mapped_meanwhile(void)
{
	unsigned int i, n, seen, wrong = 0, busy = 0;
	const struct ubdx_desc *d;
	pthread_t thread;
	struct client c;
	int ret;

	open_windows();
	for (i = 0; i < 200; i++) {
		d = write_request(&c);
		seen = atomic_load(&touches);
		atomic_store(&touching, 1);
		if (pthread_create(&thread, NULL, toucher, place(d)))
			bail("pthread_create");
		/* answer sometimes before the first touch, sometimes after it */
		for (n = 0; n < i % 8 * 100 && atomic_load(&touches) == seen; n++)
			sched_yield();
		while ((ret = forward(d, FAST, 0, BYTES)) == -EBUSY)
			busy++;
		wrong += ret != -EINPROGRESS || client_end(&c) != BYTES;
		wrong += look(place(d)) != -1;
		atomic_store(&touching, 0);
		pthread_join(thread, NULL);
	}
	close_windows();
	is(wrong, 0, "a thread maps the request's pages meanwhile: nothing stays mapped");
	printf("# %u answers were refused as busy\n", busy);
}

/* A pipe holds a page of the payload until after the I/O. The I/O takes longer than the timeout. */
static void held_by_a_pipe(void)
{
	const struct ubdx_desc *d;
	struct client c;
	off_t at;
	int pipes[2];

	begin(UBDX_XFER_SPLICE, 2000, UBDX_RECOVERY_FAIL);
	register_files();
	if (pipe2(pipes, O_CLOEXEC))
		bail("pipe");
	d = write_request(&c);
	at = pos(d, 0);
	is(neg(splice(raw.chan, &at, pipes[1], NULL, 4096, 0)), 4096, "a page of it is in a pipe");
	is(forward(d, SLOW, 0, BYTES), -EINPROGRESS, "   and it is forwarded to a slow disk");
	poll(NULL, 0, 2500);
	ok(!atomic_load(&c.done), "   the disk is slower than the I/O timeout");
	poll(NULL, 0, 2000);
	ok(client_waits(&c), "   the I/O has ended, and the pipe holds the request");
	is(neg(read(pipes[0], scratch, 4096)), 4096, "   the pipe is read");
	ok(!memcmp(scratch, pattern, 4096), "   it had the request's bytes");
	is(client_end(&c), BYTES, "   and the request ends well");
	d = write_request(&c);
	is(ends(&c, d, FAST, 0, BYTES), BYTES, "   its server serves on");
	close(pipes[0]);
	close(pipes[1]);
	is(end(), 0, "   the device is deleted");
}

/* ---- the ends of a server ---- */

/* The I/O takes longer than the device's timeout. */
static void never_late(void)
{
	const struct ubdx_desc *d;
	struct client c;

	begin(UBDX_XFER_FORWARD, 2000, UBDX_RECOVERY_FAIL);
	register_files();
	d = write_request(&c);
	is(ends(&c, d, SLOW, 0, BYTES), BYTES,
	   "I/O that takes longer than the I/O timeout ends well");
	d = write_request(&c);
	is(ends(&c, d, FAST, 0, BYTES), BYTES, "   and its server serves on");
	is(end(), 0, "   the device is deleted");
}

static void server_dies(void)
{
	const struct ubdx_desc *d;
	struct client c;

	begin(UBDX_XFER_FORWARD, 30000, UBDX_RECOVERY_FAIL);
	register_files();
	memset(mem, 0x3c, BYTES);
	d = client(&c, true, mem, BYTES);
	is(forward(d, SLOW, 0, BYTES), -EINPROGRESS, "a request is forwarded to a slow disk");
	close(bdev);
	raw_queue_exit(&q);
	close(raw.chan);
	is(client_end(&c), BYTES, "   its server goes: it ends well");
	ok(file_has(files[SLOW], 0, mem, BYTES), "   and is on the disk");
	ok(raw_gone(&raw, 10), "   the device goes");
	raw_ctl(&raw, UBDX_IOC_DEL, UBDX_CTL_FORCE);
	close(raw.ctl);
}

/* A server that forwards the first request for AT to the slow disk, and dies. */
static void serve_one_and_die(int parent)
{
	int tag;

	begin(UBDX_XFER_FORWARD, 30000, UBDX_RECOVERY_REISSUE);
	register_files();
	close(bdev);
	if (write(parent, &raw.add.id, sizeof(raw.add.id)) < 0)
		_exit(1);
	do {
		tag = raw_next(&q);
		if (tag < 0)
			_exit(1);
	} while (q.desc[tag].sector != AT / 512 &&
		 commit(&q.desc[tag], q.desc[tag].nr_sectors * 512));
	forward(&q.desc[tag], SLOW, 0, BYTES);
	_exit(0);
}

static void successor_waits(void)
{
	struct client c;
	int pipes[2], status;
	pid_t server;

	if (pipe2(pipes, O_CLOEXEC))
		bail("pipe");
	server = fork();
	if (!server)
		serve_one_and_die(pipes[1]);
	begin_as_client(pipes[0]);
	memset(mem, 0x5a, BYTES);
	client_start(&c, true, mem, BYTES, AT);
	waitpid(server, &status, 0);
	is(status, 0, "a server forwards a request to a slow disk, and dies");
	if (!within(10, !raw_open(&raw)) || raw_queue_init(&raw, &q, 0) || raw_fetch_all(&q))
		bail("the next server");
	is(raw_ctl(&raw, UBDX_IOC_START, 0), 0, "   its successor starts");
	ok(within(1, atomic_load(&c.done)), "   when the request has ended, and not before");
	is(client_end(&c), BYTES, "   well");
	ok(file_has(files[SLOW], 0, mem, BYTES), "   and is on the disk");
	is(end(), 0, "   the device is deleted");
	close(pipes[0]);
	close(pipes[1]);
}

int main(int argc, char **argv)
{
	unsigned int i;
	struct client c;
	const struct ubdx_desc *d;
	char path[32];

	if (argc != 3)
		bail("usage: forward FAST SLOW");
	files[FAST] = open(argv[1], O_RDWR | O_DIRECT | O_CLOEXEC);
	files[SLOW] = open(argv[2], O_RDWR | O_DIRECT | O_CLOEXEC);
	files[MEMORY] = memfd_create("memory", MFD_CLOEXEC);
	snprintf(path, sizeof(path), "/proc/self/fd/%d", files[MEMORY]);
	files[READ_ONLY] = open(path, O_RDONLY | O_CLOEXEC);
	for (i = 0; i < NR_FILES; i++)
		if (files[i] < 0)
			bail("file %u: %m", i);
	if (ftruncate(files[MEMORY], FILE_BYTES))
		bail("memory: %m");
	front_buffers();

	begin(UBDX_XFER_FORWARD, 30000, UBDX_RECOVERY_FAIL);
	registers();
	register_files();
	one_place(FAST, 1 << 20, "a block device");
	one_place(MEMORY, 4096, "a regular file");
	many_places();
	the_rest_comes_again();
	wrong_answers();
	out_of_reach();
	removed();
	for (i = 0; i < RAW_NR_XFER; i++) {
		if (!(raw_modes() >> i & 1))
			continue;
		set_mode(i);
		d = write_request(&c);
		is(ends(&c, d, FAST, 8192 * i, BYTES), BYTES, "from another mode");
		ok(file_has(files[FAST], 8192 * i, pattern, BYTES), "   with the right bytes");
	}
	set_mode(UBDX_XFER_MAP);
	mapped_meanwhile();
	is(end(), 0, "the device is deleted");
	held_by_a_pipe();
	never_late();
	server_dies();
	successor_waits();
	return done();
}
