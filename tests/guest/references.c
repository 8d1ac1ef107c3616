// SPDX-License-Identifier: GPL-2.0
/*
 * references.c DEVICE REQUESTS - does anything keep a reference to a client's pages? Send that many
 * direct requests from the same few buffers. Then move each of their pages to another node and
 * back. The kernel moves a page only if it can account for every reference to it, so a page with a
 * leaked reference stays.
 */
#define _GNU_SOURCE
#include <errno.h>
#include <fcntl.h>
#include <liburing.h>
#include <linux/fs.h>
#include <linux/mempolicy.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/mman.h>
#include <sys/syscall.h>
#include <sys/uio.h>
#include <unistd.h>

#include "tap.h"

#define DEPTH 32
#define PAGE 4096
#define BUFFER_PAGES 8
#define PAGES (DEPTH * BUFFER_PAGES)

static char *buffers;
static unsigned long long sectors;
static unsigned int seed = 1;

/* Move all pages to @node. Returns how many are there afterwards. */
static int move_to(int node)
{
	void *pages[PAGES];
	int nodes[PAGES], status[PAGES], i, moved = 0;

	for (i = 0; i < PAGES; i++) {
		pages[i] = buffers + (size_t)i * PAGE;
		nodes[i] = node;
		status[i] = -1;
	}
	if (syscall(SYS_move_pages, 0, PAGES, pages, nodes, status, MPOL_MF_MOVE) < 0)
		bail("move_pages: %s", strerror(errno));
	if (syscall(SYS_move_pages, 0, PAGES, pages, NULL, status, 0) < 0)
		bail("move_pages: %s", strerror(errno));
	for (i = 0; i < PAGES; i++)
		moved += status[i] == node;
	return moved;
}

/* The next request from buffer @i: usually short, a READ or a WRITE, of a part of the buffer. */
static void send_from(struct io_uring *ring, int fd, unsigned int i)
{
	struct io_uring_sqe *sqe = io_uring_get_sqe(ring);
	unsigned int pages = rand_r(&seed) % 8 ? 1 : 1 + rand_r(&seed) % BUFFER_PAGES;
	unsigned int first = rand_r(&seed) % (BUFFER_PAGES - pages + 1);
	char *from = buffers + (i * BUFFER_PAGES + first) * (size_t)PAGE;
	unsigned long long at = rand_r(&seed) % (sectors / 8 - BUFFER_PAGES) * PAGE;

	if (rand_r(&seed) % 2)
		io_uring_prep_read(sqe, fd, from, pages * PAGE, at);
	else
		io_uring_prep_write(sqe, fd, from, pages * PAGE, at);
	io_uring_sqe_set_data64(sqe, i);
}

/* Returns how many requests failed. */
static unsigned long run(int fd, unsigned long requests)
{
	unsigned long sent = 0, ended = 0, failed = 0;
	struct io_uring_cqe *cqe;
	struct io_uring ring;
	int ret = io_uring_queue_init(DEPTH, &ring, 0);

	if (ret)
		bail("ring: %s", strerror(-ret));
	for (; sent < DEPTH && sent < requests; sent++)
		send_from(&ring, fd, sent);
	while (ended < requests) {
		unsigned int head, seen = 0;

		if (io_uring_submit_and_wait(&ring, 1) < 0)
			bail("submit");
		io_uring_for_each_cqe(&ring, head, cqe)
		{
			seen++;
			failed += cqe->res <= 0;
			if (sent < requests) {
				send_from(&ring, fd, io_uring_cqe_get_data64(cqe));
				sent++;
			}
		}
		io_uring_cq_advance(&ring, seen);
		ended += seen;
	}
	io_uring_queue_exit(&ring);
	return failed;
}

/* A pipe keeps a reference to a page: this must be found. */
static void control(void)
{
	struct iovec iov = { buffers, PAGE };
	int fds[2];

	is(move_to(1), PAGES, "nothing holds the pages: all can be moved");
	if (pipe(fds) || vmsplice(fds[1], &iov, 1, 0) != PAGE)
		bail("vmsplice: %s", strerror(errno));
	is(move_to(0), PAGES - 1, "a pipe holds one: that one can't");
	close(fds[0]);
	close(fds[1]);
	is(move_to(0), PAGES, "the pipe is gone: it can");
}

int main(int argc, char **argv)
{
	int fd = argc == 3 ? open(argv[1], O_RDWR | O_DIRECT) : -1;
	unsigned long requests;

	if (fd < 0 || ioctl(fd, BLKGETSIZE64, &sectors))
		bail("usage: references DEVICE REQUESTS");
	sectors /= 512;
	requests = strtoul(argv[2], NULL, 0);
	buffers = mmap(NULL, (size_t)PAGES * PAGE, PROT_READ | PROT_WRITE,
		       MAP_PRIVATE | MAP_ANONYMOUS | MAP_POPULATE, -1, 0);
	if (buffers == MAP_FAILED)
		bail("mmap");
	control();
	is(run(fd, requests), 0, "no request failed");
	is(move_to(1), PAGES, "all pages can be moved away");
	is(move_to(0), PAGES, "and back");
	return done();
}
