// SPDX-License-Identifier: GPL-2.0
/*
 * modes.c - what each transfer mode lets a server do to a request's payload, and what it doesn't:
 * where, when and by which process the payload can be reached; that it can't be once the request
 * has ended; and that the client sees nothing that wasn't served.
 *
 * The client is a thread that makes one READ or WRITE. The server is the main thread, which
 * meanwhile does things to the request that libubdx wouldn't do.
 */
#define _GNU_SOURCE
#include <errno.h>
#include <fcntl.h>
#include <linux/capability.h>
#include <netinet/in.h>
#include <signal.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/mman.h>
#include <sys/sendfile.h>
#include <sys/socket.h>
#include <sys/syscall.h>
#include <sys/uio.h>
#include <sys/wait.h>
#include <unistd.h>

#include "single.h"
#include "tap.h"

static char *pattern; /* BYTES of a pattern that occurs nowhere else */
static char *scratch;
static void *volatile nowhere = (void *)16;

/* ---- bytes ---- */

static int read_some(const struct ubdx_desc *d)
{
	return neg(pread(raw.chan, scratch, 512, pos(d, 0)));
}

/* As read_some(), in a child process, which has no mapping of the descriptors. */
static int read_in_child(const struct ubdx_desc *d)
{
	off_t at = pos(d, 0);
	int status;
	pid_t pid = fork();

	if (!pid)
		_exit(-neg(pread(raw.chan, scratch, 512, at)) & 0xff);
	waitpid(pid, &status, 0);
	return WIFSIGNALED(status) ? -1000 - WTERMSIG(status) : -WEXITSTATUS(status);
}

static void *read_thread(void *arg)
{
	const struct ubdx_desc *d = arg;

	return (void *)(long)read_some(d);
}

static int uring_rw(bool write, void *mem, size_t bytes, off_t at)
{
	struct io_uring_sqe *sqe;
	struct io_uring_cqe *cqe;
	struct io_uring ring;
	int res;

	io_uring_queue_init(4, &ring, 0);
	sqe = io_uring_get_sqe(&ring);
	if (write)
		io_uring_prep_write(sqe, raw.chan, mem, bytes, at);
	else
		io_uring_prep_read(sqe, raw.chan, mem, bytes, at);
	io_uring_submit_and_wait(&ring, 1);
	io_uring_peek_cqe(&ring, &cqe);
	res = cqe->res;
	io_uring_queue_exit(&ring);
	return res;
}

static void reading(unsigned int mode)
{
	char *mem = raw_mem(BYTES), *fresh = raw_mem(BYTES);
	const struct ubdx_desc *d;
	struct iovec iov[2];
	struct client c;
	pthread_t thread;
	void *ret;

	memcpy(mem, pattern, BYTES);
	d = client(&c, true, mem, BYTES);
	is(d->xfer, mode, "a WRITE has the mode");
	is(neg(pread(raw.chan, fresh, BYTES, pos(d, 0))), BYTES,
	   "it can be read, to memory not yet there");
	ok(!memcmp(fresh, pattern, BYTES), "its bytes are right");
	is(neg(pread(raw.chan, scratch, BYTES, pos(d, 5000))), BYTES - 5000,
	   "from the middle it is read to its end");
	ok(!memcmp(scratch, pattern + 5000, BYTES - 5000), "these bytes are right, too");
	is(neg(pread(raw.chan, scratch, 100, pos(d, BYTES - 1))), 1, "its last byte can be read");
	is(neg(pread(raw.chan, scratch, 100, pos(d, BYTES))), 0, "and nothing behind its end");
	is(neg(pread(raw.chan, scratch, 100, pos(d, MAX_IO + 4096))), 0, "nor far behind its end");
	is(neg(pread(raw.chan, nowhere, 100, pos(d, 0))), -EFAULT, "nor into unmapped memory");
	munmap(fresh + BYTES / 2, BYTES / 2);
	is(neg(pread(raw.chan, fresh, BYTES, pos(d, 0))), BYTES / 2, "to memory that ends early");
	iov[0] = (struct iovec){ scratch, 1000 };
	iov[1] = (struct iovec){ scratch + 1000, BYTES - 1000 };
	is(neg(preadv(raw.chan, iov, 2, pos(d, 0))), BYTES, "preadv reads it");
	ok(!memcmp(scratch, pattern, BYTES), "preadv: the bytes are right");
	memset(scratch, 0, BYTES);
	is(uring_rw(false, scratch, BYTES, pos(d, 0)), BYTES, "io_uring reads it");
	ok(!memcmp(scratch, pattern, BYTES), "io_uring: the bytes are right");
	is(neg(pwrite(raw.chan, scratch, 512, pos(d, 0))), -EINVAL, "it can't be written to");
	is(neg(pread(raw.chan, scratch, 512, ubdx_pos(1, d->tag, d->seq, 0))), -EINVAL,
	   "another queue");
	is(neg(pread(raw.chan, scratch, 512, ubdx_pos(0, q.depth, d->seq, 0))), -EINVAL,
	   "a tag too high");
	is(neg(pread(raw.chan, scratch, 512, ubdx_pos(0, (d->tag + 1) % q.depth, d->seq, 0))),
	   -ESTALE, "another tag");
	is(neg(pread(raw.chan, scratch, 512, pos(d, 0) | 1LL << 62)), -EINVAL, "an odd position");
	is(neg(pread(raw.chan, scratch, 512, ubdx_pos(0, d->tag, d->seq + 1, 0))), -ESTALE,
	   "another request");
	pthread_create(&thread, NULL, read_thread, (void *)d);
	pthread_join(thread, &ret);
	is((long)ret, 512, "by another thread");
	is(read_in_child(d), -EPERM, "by a forked child it can't");
	is(finish(&c, d, BYTES), BYTES, "the WRITE ends");
	is(read_some(d), -ESTALE, "then it can't be read");
	munmap(mem, BYTES);
	munmap(fresh, BYTES / 2);
}

static void writing(unsigned int mode)
{
	char *mem = raw_mem(BYTES);
	const struct ubdx_desc *d;
	struct client c;
	size_t i, n;

	memset(mem, 0xa5, BYTES);
	d = client(&c, false, mem, BYTES);
	is(d->xfer, mode, "a READ has the mode");
	is(neg(pread(raw.chan, scratch, 512, pos(d, 0))), -EINVAL, "it can't be read");
	is(neg(pwrite(raw.chan, pattern, 5000, pos(d, 0))), 5000, "it can be written to");
	is(neg(pwrite(raw.chan, pattern + 5000, BYTES, pos(d, 5000))), BYTES - 5000,
	   "as far as it goes");
	is(neg(pwrite(raw.chan, pattern, 1, pos(d, BYTES))), -ENOSPC, "and not behind its end");
	is(neg(pwrite(raw.chan, nowhere, 100, pos(d, 0))), -EFAULT, "nor from unmapped memory");
	is(uring_rw(true, pattern, 512, pos(d, 0)), 512, "io_uring writes to it");
	is(finish(&c, d, BYTES), BYTES, "it ends");
	ok(!memcmp(mem, pattern, BYTES), "with what was written");
	is(neg(pwrite(raw.chan, scratch, 512, pos(d, 0))), -ESTALE, "then it can't be written to");

	/*
	 * A READ that is filled and committed in part: the client gets that part, the rest comes
	 * again.
	 */
	memset(mem, 0xa5, BYTES);
	d = client(&c, false, mem, BYTES);
	pwrite(raw.chan, pattern, 5000, pos(d, 0));
	is(commit(d, 5000), 0, "a READ committed short, whose rest comes at once");
	n = d->nr_sectors * 512;
	is(BYTES - n, 4608, "comes again from the block that isn't complete");
	for (i = 0, n = 0; i < BYTES; i++)
		n += i >= 4608 && mem[i] != (char)0xa5 && i >= 5000;
	is(n, 0, "nothing else has got there");
	pwrite(raw.chan, pattern + 4608, BYTES, pos(d, 0));
	is(commit(d, d->nr_sectors * 512 + 512), -EINPROGRESS,
	   "committed with more than it asks for");
	is(client_end(&c), -EIO, "it fails");

	d = client(&c, false, mem, 4096);
	is(raw_commit(&q, 0, (d->tag + 1) % q.depth, d->seq, 4096, 0), -ESTALE,
	   "a commit for another tag");
	is(commit(d, -ENOSPC), -EINPROGRESS, "an errno");
	is(client_end(&c), -ENOSPC, "reaches the reader");
	is(commit(d, 4096), -ESTALE, "the second commit is refused");
	munmap(mem, BYTES);
}

static void no_access(void)
{
	char *mem = raw_mem(BYTES);
	const struct ubdx_desc *d;
	struct client c;

	d = client(&c, true, mem, 4096);
	is(read_some(d), -EOPNOTSUPP, "copy: the channel can't be read");
	is(neg(splice(raw.chan, &(loff_t){ pos(d, 0) }, -1, NULL, 1, 0)), -EBADF,
	   "nor spliced to nowhere");
	is(finish(&c, d, 4096), 4096, "the WRITE ends");
	munmap(mem, BYTES);
}

/* ---- windows ---- */

static int map_error(size_t bytes, int prot, int flags, off_t at)
{
	void *p = mmap(NULL, bytes, prot, flags, raw.chan, at);

	if (p == MAP_FAILED)
		return -errno;
	munmap(p, bytes);
	return 0;
}

static void map_windows(void)
{
	window_bytes = (size_t)q.depth * MAX_IO;
	is(map_error(window_bytes, PROT_READ | PROT_WRITE, MAP_SHARED,
		     ubdx_window(0, UBDX_OP_WRITE)),
	   -EPERM, "the window for WRITEs can't be writable");
	is(map_error(window_bytes, PROT_READ, MAP_SHARED, ubdx_window(0, UBDX_OP_READ)), -EPERM,
	   "the window for READs must be writable");
	is(map_error(window_bytes, PROT_READ | PROT_EXEC, MAP_SHARED,
		     ubdx_window(0, UBDX_OP_WRITE)),
	   -EPERM, "no window can be executable");
	is(map_error(window_bytes, PROT_READ, MAP_PRIVATE, ubdx_window(0, UBDX_OP_WRITE)), -EINVAL,
	   "a private mapping of a window is refused");
	is(map_error(window_bytes - 4096, PROT_READ, MAP_SHARED, ubdx_window(0, UBDX_OP_WRITE)),
	   -EINVAL, "a mapping of a part is refused");
	is(map_error(window_bytes, PROT_READ, MAP_SHARED, ubdx_window(0, UBDX_OP_WRITE) + 4096),
	   -EINVAL, "a mapping from the middle is refused");
	is(map_error(window_bytes, PROT_READ, MAP_SHARED, ubdx_window(1, UBDX_OP_WRITE)), -EINVAL,
	   "there is no window of a queue that doesn't exist");
	open_windows();
	is(mprotect(window[UBDX_OP_WRITE], window_bytes, PROT_READ | PROT_WRITE) ? -errno : 0,
	   -EACCES, "the window for WRITEs can't be made writable later");
	is(look(window[UBDX_OP_WRITE]), -1, "access to a place without a request raises SIGBUS");
}

/* Write from this memory to a disk of null_blk, with direct I/O. */
static int direct_from(const char *mem, size_t bytes)
{
	int fd = open("/dev/nullb0", O_RDWR | O_DIRECT), ret;

	ret = neg(pwrite(fd, mem, bytes, 0));
	close(fd);
	return ret;
}

static void mapping(void)
{
	char *mem = raw_mem(BYTES);
	struct iovec to = { scratch, 512 }, from;
	const struct ubdx_desc *d;
	struct child child, late;
	struct client c;
	FILE *file = tmpfile();
	int saw, ret;

	memcpy(mem, pattern, BYTES);
	d = client(&c, true, mem, BYTES);
	child_pipes(&late);
	child_start(&late, place(d));
	ok(!memcmp(place(d), pattern, BYTES), "map: a WRITE's payload is in its place");
	is(look(place(d) + BYTES), -1, "and nothing behind it");
	from = (struct iovec){ place(d), 512 };
	ret = neg(process_vm_readv(getpid(), &to, 1, &from, 1, 0));
	ok(ret == -EFAULT || ret == -ENOSYS,
	   "process_vm_readv, where there is one, doesn't see it");
	is(neg(pwrite(fileno(file), place(d), BYTES, 0)), BYTES,
	   "a buffered write can be made from it");
	is(neg(pread(fileno(file), scratch, BYTES, 0)), BYTES, "the write has its whole length");
	ok(!memcmp(scratch, pattern, BYTES), "and the right bytes");
	is(direct_from(place(d), 4096), -EFAULT, "direct I/O from it fails");
	child_pipes(&child);
	child_start(&child, place(d));
	saw = child_look(&child);
	ok(saw == -1 || saw == (unsigned char)pattern[0],
	   "a child forked meanwhile sees it, or has SIGBUS");
	is(child_look(&late), -1, "one forked before has SIGBUS");
	is(finish(&c, d, BYTES), BYTES, "the WRITE ends");
	is(look(place(d)), -1, "then its place is SIGBUS");
	is(look(place(d) + BYTES - 1), -1, "up to its end");
	is(child_look(&child), -1, "for the child, too");
	child_end(&child);
	child_end(&late);

	memset(mem, 0xa5, BYTES);
	d = client(&c, false, mem, BYTES);
	memcpy(place(d), pattern, BYTES);
	is(finish(&c, d, BYTES), BYTES, "a READ filled in its place ends");
	ok(!memcmp(mem, pattern, BYTES), "with what it was filled with");
	is(look(place(d)), -1, "its place is SIGBUS");

	d = client(&c, true, mem + 512, 512);
	is(d->xfer, UBDX_XFER_USER, "a WRITE that doesn't fill its page falls back");
	is(look(window[d->op] + (size_t)d->tag * MAX_IO), -1, "and can't be seen");
	finish(&c, d, 512);
	fclose(file);
	munmap(mem, BYTES);
}

/* ---- pipes ---- */

static int p[2], p2[2];

static int splice_in(const struct ubdx_desc *d, unsigned int offset, size_t bytes)
{
	loff_t at = pos(d, offset);

	return neg(splice(raw.chan, &at, p[1], NULL, bytes, SPLICE_F_NONBLOCK));
}

/* A thread that reads BYTES bytes from the descriptor *@arg. */
static void *take_all(void *arg)
{
	size_t done = 0;
	ssize_t n;

	while (done < BYTES && (n = read(*(int *)arg, scratch + done, BYTES - done)) > 0)
		done += n;
	return NULL;
}

/* Splice or sendfile a WRITE's payload to @to, and read it at @from, which can be the same file. */
static void sink(const char *what, int to, int from, bool by_sendfile)
{
	long copied = moved("copied_bytes"), spliced = moved("spliced_bytes");
	char *mem = raw_mem(BYTES);
	const struct ubdx_desc *d;
	size_t done = 0;
	pthread_t thread;
	struct client c;
	loff_t at;
	int ret;

	memcpy(mem, pattern, BYTES);
	memset(scratch, 0, BYTES);
	d = client(&c, true, mem, BYTES);
	if (from != to)
		pthread_create(&thread, NULL, take_all, &from);
	at = pos(d, 0);
	ret = by_sendfile ? 0 : splice_in(d, 0, BYTES);
	if (ret < 0)
		bail("splice in: %s", strerror(-ret));
	do {
		ret = by_sendfile ? neg(sendfile(to, raw.chan, &at, BYTES - done)) :
				    neg(splice(p[0], NULL, to, NULL, BYTES - done, 0));
		done += ret > 0 ? ret : 0;
	} while (ret > 0 && done < BYTES);
	is(ret < 0 ? ret : (int)done, BYTES, what);
	is(moved("spliced_bytes") - spliced, BYTES, "as pages");
	is(moved("copied_bytes") - copied, 0, "without a copy from the channel");
	if (from != to)
		pthread_join(thread, NULL);
	else if (pread(to, scratch, BYTES, 0) < 0)
		bail("read back: %m");
	ok(!memcmp(scratch, pattern, BYTES), "arrives whole");
	is(finish(&c, d, BYTES), BYTES, "and it ends");
	munmap(mem, BYTES);
}

static void tcp_pair(int fds[2])
{
	struct sockaddr_in addr = { .sin_family = AF_INET,
				    .sin_addr.s_addr = htonl(INADDR_LOOPBACK) };
	socklen_t len = sizeof(addr);
	int listener = socket(AF_INET, SOCK_STREAM, 0);

	fds[0] = socket(AF_INET, SOCK_STREAM, 0);
	if (bind(listener, (void *)&addr, len) || listen(listener, 1) ||
	    getsockname(listener, (void *)&addr, &len) || connect(fds[0], (void *)&addr, len))
		bail("tcp: %m");
	fds[1] = accept(listener, NULL, NULL);
	close(listener);
}

/* Open a file or device. Bails out if that fails. */
static int open_file(const char *path, int flags)
{
	int fd = open(path, flags | O_CLOEXEC, 0600);

	if (fd < 0)
		bail("%s: %m", path);
	return fd;
}

#define DEVICE "/dev/nullb0"
static const char *direct_path; /* on a file system that has direct I/O */

static void sinks(void)
{
	int fds[2], fd;
	FILE *file = tmpfile();

	sink("to a buffered file", fileno(file), fileno(file), false);
	fclose(file);
	fd = open_file(direct_path, O_RDWR | O_CREAT | O_TRUNC | O_DIRECT);
	sink("to a file, direct", fd, fd, false);
	close(fd);
	fd = open_file(DEVICE, O_RDWR | O_DIRECT);
	sink("to a block device, direct", fd, fd, false);
	close(fd);
	fd = open_file(DEVICE, O_RDWR);
	sink("to a block device, buffered", fd, fd, false);
	close(fd);
	if (socketpair(AF_UNIX, SOCK_STREAM, 0, fds))
		bail("socketpair");
	sink("to a unix socket", fds[0], fds[1], false);
	sink("to a unix socket, by sendfile", fds[0], fds[1], true);
	close(fds[0]);
	close(fds[1]);
	tcp_pair(fds);
	sink("to a TCP socket", fds[0], fds[1], false);
	sink("to a TCP socket, by sendfile", fds[0], fds[1], true);
	close(fds[0]);
	close(fds[1]);
	sink("to another pipe", p2[1], p2[0], false);
}

/* A thread that writes the pattern to the descriptor *@arg. */
static void *give_all(void *arg)
{
	size_t done = 0;
	ssize_t n;

	while (done < BYTES && (n = write(*(int *)arg, pattern + done, BYTES - done)) > 0)
		done += n;
	return NULL;
}

/*
 * Splice from the position of @from, through the pipe, to the request. Returns the number of bytes
 * that arrived, or -errno.
 */
static int splice_out(const struct ubdx_desc *d, int from)
{
	loff_t at = pos(d, 0);
	int done = 0, in, ret;

	while (done < (int)BYTES) {
		in = neg(splice(from, NULL, p[1], NULL, BYTES - done, 0));
		if (in <= 0)
			return in ?: done;
		for (; in; in -= ret, done += ret) {
			ret = neg(splice(p[0], NULL, raw.chan, &at, in, 0));
			if (ret <= 0)
				return ret ?: done;
		}
	}
	return done;
}

/*
 * Splice a READ's payload from @from. What is written to @feed comes out at @from. @feed is -1 if
 * @from has the payload already.
 */
static void source(const char *what, int from, int feed)
{
	long copied = moved("copied_bytes"), spliced = moved("spliced_bytes");
	char *mem = raw_mem(BYTES);
	const struct ubdx_desc *d;
	pthread_t thread;
	struct client c;

	memset(mem, 0xa5, BYTES);
	d = client(&c, false, mem, BYTES);
	if (feed >= 0)
		pthread_create(&thread, NULL, give_all, &feed);
	is(splice_out(d, from), BYTES, what);
	if (feed >= 0)
		pthread_join(thread, NULL);
	is(moved("copied_bytes") - copied, BYTES, "by its one copy");
	is(moved("spliced_bytes") - spliced, 0, "and nothing else");
	is(finish(&c, d, BYTES), BYTES, "it ends");
	ok(!memcmp(mem, pattern, BYTES), "with what was there");
	munmap(mem, BYTES);
}

/* Write the pattern to the file, then splice a READ's payload from it. */
static void source_of(const char *what, const char *path, int flags)
{
	int fd = open_file(path, O_RDWR | O_CREAT | O_DIRECT);

	if (pwrite(fd, pattern, BYTES, 0) != BYTES)
		bail("%s: %m", path);
	close(fd);
	fd = open_file(path, O_RDONLY | flags);
	source(what, fd, -1);
	close(fd);
}

/* A READ's payload can be spliced from anything that splice() reads. */
static void sources(void)
{
	char *mem = raw_mem(BYTES);
	const struct ubdx_desc *d;
	FILE *file = tmpfile();
	struct client c;
	loff_t at;
	int fds[2];

	if (pwrite(fileno(file), pattern, BYTES, 0) != BYTES)
		bail("a file: %m");
	source("a READ from a buffered file", fileno(file), -1);
	fclose(file);
	source_of("from a file on a disk, buffered", direct_path, 0);
	source_of("from a file, direct", direct_path, O_DIRECT);
	source_of("from a block device, buffered", DEVICE, 0);
	source_of("from a block device, direct", DEVICE, O_DIRECT);
	source("from another pipe", p2[0], p2[1]);
	if (socketpair(AF_UNIX, SOCK_STREAM, 0, fds))
		bail("socketpair");
	source("from a unix socket", fds[0], fds[1]);
	close(fds[0]);
	close(fds[1]);
	tcp_pair(fds);
	source("from a TCP socket", fds[0], fds[1]);
	close(fds[0]);
	close(fds[1]);

	d = client(&c, false, mem, 4096);
	is(splice_in(d, 0, 4096), -EINVAL, "it can't be spliced out");
	if (write(p[1], pattern, 100) != 100)
		bail("pipe");
	at = pos(d, 4096);
	is(neg(splice(p[0], NULL, raw.chan, &at, 100, 0)), -ENOSPC, "nor filled behind its end");
	if (read(p[0], scratch, 100) != 100)
		bail("pipe");
	finish(&c, d, 4096);
	munmap(mem, BYTES);
}

/* While the device is live, a committed request ends only when no pipe has a buffer of it. */
static void lingering(void)
{
	char *mem = raw_mem(BYTES);
	const struct ubdx_desc *d;
	struct client c;
	loff_t at;

	memcpy(mem, pattern, BYTES);
	d = client(&c, true, mem, BYTES);
	is(splice_in(d, 1000, BYTES), BYTES - 1000, "a WRITE from the middle");
	is(splice_in(d, BYTES, BYTES), 0, "at its end nothing");
	is(commit(d, BYTES), -EINPROGRESS, "committed while it is in the pipe");
	ok(client_waits(&c), "it doesn't end");
	is(commit(d, BYTES), -ESTALE, "a second commit is refused");
	is(splice_in(d, 0, 100), -ESTALE, "and so is splicing");
	at = pos(d, 0);
	is(neg(pread(raw.chan, scratch, 100, at)), -ESTALE, "and reading");
	is(neg(read(p[0], scratch, BYTES)), BYTES - 1000, "the pipe is read");
	is(client_end(&c), BYTES, "now it ends");
	ok(!memcmp(scratch, pattern + 1000, BYTES - 1000), "and what was read is right");

	d = client(&c, true, mem, BYTES);
	splice_in(d, 0, BYTES);
	is(neg(tee(p[0], p2[1], BYTES, SPLICE_F_NONBLOCK)), BYTES, "buffers can be doubled");
	is(neg(read(p[0], scratch, BYTES)), BYTES, "the first of each is read");
	commit(d, BYTES);
	ok(client_waits(&c), "it doesn't end");
	is(neg(read(p2[0], scratch, BYTES)), BYTES, "the second, too");
	is(client_end(&c), BYTES, "now it ends");

	d = client(&c, true, mem, BYTES);
	splice_in(d, 0, BYTES);
	is(neg(splice(p[0], NULL, p2[1], NULL, BYTES, SPLICE_F_NONBLOCK)), BYTES,
	   "buffers can go to another pipe");
	commit(d, BYTES);
	ok(client_waits(&c), "it doesn't end");
	close(p2[0]);
	close(p2[1]);
	is(client_end(&c), BYTES, "until that is closed");
	if (pipe(p2))
		bail("pipe");

	/* Meanwhile the server commits for another tag, and then commits an error. */
	d = client(&c, true, mem, BYTES);
	splice_in(d, 0, BYTES);
	is(raw_commit(&q, 0, (d->tag + 1) % q.depth, d->seq, BYTES, 0), -ESTALE,
	   "a commit for another tag is refused");
	is(commit(d, -EIO), -EINPROGRESS, "an error, during a splice");
	ok(client_waits(&c), "waits for the pipe, too");
	is(neg(read(p[0], scratch, BYTES)), BYTES, "that is read");
	is(client_end(&c), -EIO, "and the error is returned");
	munmap(mem, BYTES);
}

/* Nobody reads the pipe. The server loses its device by a forced STOP, or because it is late. */
static void cut_off(bool committed, bool late)
{
	char *mem = raw_mem(BYTES);
	const struct ubdx_desc *d;
	struct client c;
	double start;

	begin(UBDX_XFER_SPLICE, late ? 1000 * raw_slow() : 30000, UBDX_RECOVERY_FAIL);
	memcpy(mem, pattern, BYTES);
	d = client(&c, true, mem, BYTES);
	is(splice_in(d, 0, BYTES), BYTES, "a WRITE in a pipe without a reader");
	if (committed)
		is(commit(d, BYTES), -EINPROGRESS, "and committed");
	start = raw_now();
	if (!late)
		is(raw_ctl(&raw, UBDX_IOC_STOP, UBDX_CTL_FORCE), 0, "the device is stopped");
	is(client_end(&c),
	   committed ? (int)BYTES :
	   late	     ? -ETIMEDOUT :
		       -EIO,
	   "it ends with the expected result");
	ok(raw_now() - start < 10, "it ends within 10 s");
	/* the client's memory may now belong to another process */
	memset(mem, 0xa5, BYTES);
	memset(scratch, 0, BYTES);
	is(neg(read(p[0], scratch, BYTES)), -EIO, "the pipe can't be read any more");
	ok(scratch[0] == 0, "not a byte of it");
	is(splice_in(d, 0, 100), -ENODEV, "nothing can be spliced any more");
	close(p[0]);
	close(p[1]);
	if (pipe(p))
		bail("pipe");
	fcntl(p[1], F_SETPIPE_SZ, MAX_IO);
	is(end(), 0, "the device can be deleted");
	munmap(mem, BYTES);
}

/* The windows of a server whose device was stopped by force. */
static void left_behind(void)
{
	char *mem = raw_mem(BYTES);
	const struct ubdx_desc *d;
	struct client c;

	begin(UBDX_XFER_MAP, 30000, UBDX_RECOVERY_FAIL);
	map_windows();
	memcpy(mem, pattern, BYTES);
	d = client(&c, true, mem, BYTES);
	is(look(place(d)), (unsigned char)pattern[0], "a WRITE in its place");
	is(raw_ctl(&raw, UBDX_IOC_STOP, UBDX_CTL_FORCE), 0, "the device is stopped");
	is(client_end(&c), -EIO, "it fails");
	is(look(place(d)), 0, "the server finds nothing in its place, and lives");
	d = &q.desc[0];
	window[UBDX_OP_READ][5] = 1;
	is(look(window[UBDX_OP_READ]), 0, "and can write to where READs were");
	close_windows();
	is(end(), 0, "the device can be deleted");
	munmap(mem, BYTES);
}

/* A server without CAP_SYS_ADMIN is not trusted, so it has mode copy only. */
static void untrusted(void)
{
	struct __user_cap_header_struct head = { .version = _LINUX_CAPABILITY_VERSION_3 };
	struct __user_cap_data_struct all[2], some[2];
	struct ubdx_set set;
	struct ubdx_info info;

	raw_defaults(&raw);
	raw.add.xfer_modes = (1 << RAW_NR_XFER) - 1;
	if (raw_add(&raw))
		bail("add");
	set = (struct ubdx_set){ .id = raw.add.id, .xfer = UBDX_XFER_USER };
	is(ioctl(raw.ctl, UBDX_IOC_SET, &set) ? -errno : 0, 0,
	   "a device whose server is yet to come");
	if (syscall(SYS_capget, &head, all))
		bail("capget");
	memcpy(some, all, sizeof(all));
	some[0].effective &= ~(1U << CAP_SYS_ADMIN);
	if (syscall(SYS_capset, &head, some) || raw_open(&raw) || syscall(SYS_capset, &head, all))
		bail("open");
	if (raw_queue_init(&raw, &q, 0) || raw_fetch_all(&q) || raw_ctl(&raw, UBDX_IOC_START, 0))
		bail("start");
	serve_scan();
	is(raw_info(&raw, &info) ?: (int)info.xfer_modes, 1 << UBDX_XFER_COPY,
	   "one without privilege can have copy only");
	is(info.xfer, UBDX_XFER_COPY, "so that is what it gets");
	is(info.xfer_wanted, UBDX_XFER_USER, "whatever is wanted");
	is(ioctl(raw.ctl, UBDX_IOC_SET, &set) ? -errno : 0, -EOPNOTSUPP, "and it can't be set");
	bdev = raw_bdev(&raw, O_RDWR);
	is(end(), 0, "the device can be deleted");
}

/* A mode with a fallback can't be offered without the fallback. */
static void offers(void)
{
	raw_defaults(&raw);
	raw.add.xfer_modes = 1 << UBDX_XFER_MAP | 1 << UBDX_XFER_SPLICE;
	is(raw_add(&raw), -EOPNOTSUPP, "map and splice are no offer without user");
	close(raw.ctl);
}

int main(int argc, char **argv)
{
	static const unsigned int modes[] = { UBDX_XFER_USER, UBDX_XFER_MAP, UBDX_XFER_SPLICE,
					      UBDX_XFER_REGBUF, UBDX_XFER_FORWARD };
	unsigned int i;

	if (argc != 2)
		bail("usage: modes FILE, which will be written to, with direct I/O");
	direct_path = argv[1];
	signal(SIGPIPE, SIG_IGN);
	scratch = raw_mem(BYTES);
	pattern = raw_mem(BYTES);
	for (i = 0; i < BYTES; i++)
		pattern[i] = (char)(i * 7 + (i >> 9) + 1);
	if (pipe(p) || pipe(p2) || fcntl(p[1], F_SETPIPE_SZ, MAX_IO) < 0)
		bail("pipe");

	begin(UBDX_XFER_COPY, 30000, UBDX_RECOVERY_FAIL);
	no_access();
	for (i = 0; i < sizeof(modes) / sizeof(*modes); i++) {
		if (!(raw_modes() >> modes[i] & 1))
			continue; /* this kernel lacks the mode */
		set_mode(modes[i]);
		reading(modes[i]);
		writing(modes[i]);
	}
	set_mode(UBDX_XFER_MAP);
	map_windows();
	mapping();
	close_windows();
	set_mode(UBDX_XFER_SPLICE);
	sinks();
	sources();
	lingering();
	is(end(), 0, "the device can be deleted");

	cut_off(false, false);
	cut_off(true, false);
	cut_off(false, true);
	cut_off(true, true);
	left_behind();
	untrusted();
	offers();
	return done();
}
