// SPDX-License-Identifier: GPL-2.0
/*
 * regbuf.c - mode regbuf: a request's pages are a fixed buffer of the server's ring. Checks which
 * bytes fixed I/O moves, and that a committed request ends only after the last I/O with its buffer.
 */
#define _GNU_SOURCE
#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/mman.h>
#include <unistd.h>

#include "single.h"
#include "tap.h"

#define FIXED (1ULL << 20) /* user_data of the server's own I/O */
#define HUGE (2U << 20)

static char *pattern, *scratch; /* BYTES */

/* Submit one fixed I/O on the request's buffer, from the buffer's byte @from on. */
static void fixed_start(const struct ubdx_desc *d, int fd, unsigned int from, unsigned int bytes,
			off_t at)
{
	struct io_uring_sqe *sqe = io_uring_get_sqe(&q.ring);

	io_uring_prep_rw(d->op == UBDX_OP_WRITE ? IORING_OP_WRITE_FIXED : IORING_OP_READ_FIXED, sqe,
			 fd, (void *)(uintptr_t)from, bytes, at);
	sqe->buf_index = d->tag;
	sqe->user_data = FIXED;
	io_uring_submit(&q.ring);
}

/* The result of the fixed I/O; nothing else completes meanwhile. */
static int fixed_end(void)
{
	struct io_uring_cqe *cqe;
	int res;

	if (io_uring_wait_cqe(&q.ring, &cqe))
		bail("no completion");
	if (cqe->user_data != FIXED)
		bail("a completion of something else: %#llx", (unsigned long long)cqe->user_data);
	res = cqe->res;
	io_uring_cqe_seen(&q.ring, cqe);
	return res;
}

static int fixed(const struct ubdx_desc *d, int fd, unsigned int from, unsigned int bytes, off_t at)
{
	fixed_start(d, fd, from, bytes, at);
	return fixed_end();
}

static long fell_back(const char *reason)
{
	char path[64], name[32];
	long n, found = 0;
	FILE *f;

	snprintf(path, sizeof(path), "/sys/block/ubdxb%d/ubdx/fallbacks", raw.add.id);
	f = fopen(path, "r");
	if (!f)
		bail("%s: %m", path);
	while (fscanf(f, "%31s %ld", name, &n) == 2)
		if (!strcmp(name, reason))
			found = n;
	fclose(f);
	return found;
}

/* ---- bytes ---- */

/*
 * WRITE_FIXED from each sector of a WRITE's payload, alternately of one sector and of all bytes to
 * the payload's end. Returns how often it moved wrong bytes.
 */
static unsigned int wrong_in_write(const struct ubdx_desc *d, int fd, size_t bytes, size_t step)
{
	unsigned int wrong = 0;
	char *got = malloc(bytes);
	size_t at, length;

	for (at = 0; at < bytes; at += step) {
		length = at / step % 2 ? bytes - at : 512;
		memset(got, 0, length);
		wrong += fixed(d, fd, at, length, 0) != (int)length ||
			 pread(fd, got, length, 0) != (ssize_t)length ||
			 memcmp(got, pattern + at, length);
	}
	free(got);
	return wrong;
}

static void write_bytes(char *mem, size_t bytes, const char *what)
{
	int fd = memfd_create("sink", MFD_CLOEXEC);
	const struct ubdx_desc *d;
	struct client c;

	memcpy(mem, pattern, bytes);
	d = client(&c, true, mem, bytes);
	is(d->xfer, UBDX_XFER_REGBUF, what);
	is(wrong_in_write(d, fd, bytes, 512), 0,
	   "WRITE_FIXED at each sector moves the right bytes");
	memset(scratch, 0, bytes);
	is(pread(raw.chan, scratch, bytes, pos(d, 0)), bytes, "its payload can be read as well");
	ok(!memcmp(scratch, pattern, bytes), "and is the same");
	is(fixed(d, fd, bytes - 512, 1024, 0), -EFAULT, "nothing beyond its end");
	is(finish(&c, d, bytes), bytes, "it ends");
	is(fixed(d, fd, 0, 512, 0), -EFAULT, "after it the buffer is gone");
	close(fd);
}

static void read_bytes(char *mem, size_t bytes, const char *what)
{
	int fd = memfd_create("source", MFD_CLOEXEC);
	const struct ubdx_desc *d;
	unsigned int wrong = 0;
	struct client c;
	size_t at;

	if (pwrite(fd, pattern, bytes, 0) != (ssize_t)bytes)
		bail("source");
	memset(mem, 0xa5, bytes);
	d = client(&c, false, mem, bytes);
	is(d->xfer, UBDX_XFER_REGBUF, what);
	for (at = 0; at < bytes; at += 512)
		wrong += fixed(d, fd, at, 512, at) != 512;
	is(wrong, 0, "READ_FIXED works at each sector");
	is(finish(&c, d, bytes), bytes, "it ends");
	ok(!memcmp(mem, pattern, bytes), "with the right bytes");
	close(fd);
}

static void bytes(void)
{
	char *mem = raw_mem(BYTES + 4096), *huge, *area;

	/* pages that do not follow each other: every other one of an area, moved together */
	area = mmap(NULL, 2 * BYTES, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
	if (area == MAP_FAILED || madvise(area, 2 * BYTES, MADV_NOHUGEPAGE))
		bail("memory: %m");
	memset(area, 1, 2 * BYTES);
	for (size_t i = 0; i < BYTES / 4096; i++)
		if (mremap(area + i * 8192, 4096, 4096, MREMAP_MAYMOVE | MREMAP_FIXED,
			   mem + i * 4096) == MAP_FAILED)
			bail("mremap: %m");
	write_bytes(mem, BYTES, "pages apart");
	read_bytes(mem, BYTES, "pages apart, READ");

	/* across the border of two huge pages, if the kernel has huge pages */
	area = mmap(NULL, 4 * HUGE, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
	if (area == MAP_FAILED)
		bail("memory: %m");
	huge = (char *)(((uintptr_t)area + HUGE - 1) & ~(uintptr_t)(HUGE - 1));
	madvise(huge, 2 * HUGE, MADV_HUGEPAGE);
	memset(huge, 1, 2 * HUGE);
	write_bytes(huge + HUGE - BYTES / 2 - 512, BYTES, "across huge pages");
	read_bytes(huge + HUGE - BYTES / 2 - 512, BYTES, "across huge pages, READ");
	munmap(area, 4 * HUGE);
	munmap(area, 2 * BYTES);
}

/* ---- lifetime ---- */

static bool waits(struct client *c)
{
	poll(NULL, 0, 100);
	return !atomic_load(&c->done);
}

/* A request that is committed while fixed I/O on its buffer is under way ends after that I/O. */
static void commit_before_io(void)
{
	char *mem = raw_mem(BYTES), junk[4096];
	int fds[2], filled = 0;
	const struct ubdx_desc *d;
	struct client c;

	if (pipe2(fds, O_CLOEXEC) || fcntl(fds[1], F_SETPIPE_SZ, 4096) < 0)
		bail("pipe");
	filled = write(fds[1], pattern, 4096);
	memcpy(mem, pattern, BYTES);
	d = client(&c, true, mem, BYTES);
	fixed_start(d, fds[1], 0, 512, -1);
	is(commit(d, BYTES), -EINPROGRESS, "a commit while fixed I/O waits for a pipe");
	ok(waits(&c), "the request doesn't end before that I/O");
	is(read(fds[0], junk, filled), filled, "the pipe is read");
	is(fixed_end(), 512, "then the I/O moves its bytes");
	is(client_end(&c), BYTES, "and the request ends");
	is(read(fds[0], junk, 512), 512, "to the pipe");
	ok(!memcmp(junk, pattern, 512), "which are those of the request");
	close(fds[0]);
	close(fds[1]);
	munmap(mem, BYTES);
}

static void clone_init(struct io_uring *other)
{
	if (io_uring_queue_init(4, other, 0) || io_uring_clone_buffers(other, &q.ring))
		bail("cloning buffers: %m");
}

/* A clone of the buffer in another ring delays the request's end, too. */
static void commit_before_clone(void)
{
	char *mem = raw_mem(BYTES);
	const struct ubdx_desc *d;
	struct io_uring other;
	struct client c;

	d = client(&c, true, mem, BYTES);
	clone_init(&other);
	is(commit(d, BYTES), -EINPROGRESS, "a commit while another ring has a clone");
	ok(waits(&c), "the request doesn't end before the clone is gone");
	io_uring_unregister_buffers(&other);
	is(client_end(&c), BYTES, "then it ends");
	io_uring_queue_exit(&other);
	munmap(mem, BYTES);
}

/* The answer is an error: the buffer is unregistered anyway. */
static void failed_answer(void)
{
	char *mem = raw_mem(BYTES);
	const struct ubdx_desc *d;
	struct client c;

	d = client(&c, true, mem, BYTES);
	is(finish(&c, d, -EIO), -EIO, "a request that fails ends, too");
	munmap(mem, BYTES);
}

/* ---- the table ---- */

/* The server has put a buffer of its own where the request's would be. */
static void occupied(void)
{
	struct iovec iov = { .iov_base = scratch, .iov_len = 4096 };
	long before = fell_back("table");
	char *mem = raw_mem(BYTES);
	const struct ubdx_desc *d;
	struct client c;
	__u64 mark = 0;
	unsigned int tag;

	for (tag = 0; tag < q.depth; tag++)
		if (io_uring_register_buffers_update_tag(&q.ring, tag, &iov, &mark, 1) != 1)
			bail("a buffer of one's own: %m");
	d = client(&c, true, mem, BYTES);
	is(d->xfer, UBDX_XFER_USER,
	   "a request without a place in the table falls back to mode user");
	is(fell_back("table") - before, 1, "which is counted");
	is(finish(&c, d, BYTES), BYTES, "it ends");
	iov = (struct iovec){};
	for (tag = 0; tag < q.depth; tag++)
		if (io_uring_register_buffers_update_tag(&q.ring, tag, &iov, &mark, 1) != 1)
			bail("none any more: %m");
	d = client(&c, true, mem, BYTES);
	is(d->xfer, UBDX_XFER_REGBUF, "with a place it has its mode again");

	/* the server can also unregister what the driver has registered */
	if (io_uring_register_buffers_update_tag(&q.ring, d->tag, &iov, &mark, 1) != 1)
		bail("unregistering: %m");
	is(fixed(d, raw.chan, 0, 512, 0), -EFAULT, "the server may unregister a request's buffer");
	is(finish(&c, d, BYTES), BYTES, "and the request ends as usual");
	munmap(mem, BYTES);
}

/* ---- the end of the server ---- */

static void *delete_it(void *arg)
{
	atomic_int *done = arg;

	raw_ctl(&raw, UBDX_IOC_DEL, UBDX_CTL_FORCE);
	atomic_store(done, 1);
	return NULL;
}

/* A forced DEL: a buffer that lies idle is taken back, one that another ring has cloned isn't. */
static void deleted(bool cloned)
{
	char *mem = raw_mem(BYTES);
	struct io_uring other;
	atomic_int done = 0;
	pthread_t thread;
	struct client c;

	begin(UBDX_XFER_REGBUF, 30000, UBDX_RECOVERY_FAIL);
	client(&c, true, mem, BYTES);
	if (cloned)
		clone_init(&other);
	pthread_create(&thread, NULL, delete_it, &done);
	if (cloned) {
		ok(waits(&c), "forced DEL: a request waits for the clone of its buffer");
		io_uring_queue_exit(&other);
	}
	is(client_end(&c), -EIO,
	   cloned ? "and fails when the clone is gone" :
		    "forced DEL: a request with an idle buffer fails");
	ok(within(10, atomic_load(&done)), "and the device goes");
	pthread_join(thread, NULL);
	close(bdev);
	raw_queue_exit(&q);
	close(raw.chan);
	close(raw.ctl);
	munmap(mem, BYTES);
}

int main(void)
{
	unsigned int i;

	scratch = raw_mem(BYTES);
	pattern = raw_mem(BYTES);
	for (i = 0; i < BYTES; i++)
		pattern[i] = (char)(i * 7 + (i >> 9) + 1);

	begin(UBDX_XFER_REGBUF, 30000, UBDX_RECOVERY_FAIL);
	bytes();
	commit_before_io();
	commit_before_clone();
	failed_answer();
	occupied();
	is(end(), 0, "the device can be deleted");
	deleted(false);
	deleted(true);
	return done();
}
