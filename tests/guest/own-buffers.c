// SPDX-License-Identifier: GPL-2.0
/*
 * own-buffers.c - a server whose buffers are pages of its own device can't hang a request.
 */
#define _GNU_SOURCE
#include <errno.h>
#include <fcntl.h>
#include <stdatomic.h>
#include <string.h>
#include <sys/mman.h>
#include <unistd.h>

#include "held.h"
#include "tap.h"

/*
 * Every tag's buffer is the page that the request is for. That page can be faulted in only after
 * the request has ended. If the page is under writeback (WRITE), no signal interrupts the wait.
 */
static void serves_itself(bool write)
{
	char *mem = raw_mem(4096);
	struct raw_server s;
	unsigned int tag;
	int fd, ret, error;
	bool gone;

	raw_defaults(&s.raw);
	s.raw.add.params.timeout_ms = 1000;
	raw_server_start(&s, hold_or_answer);
	fd = raw_bdev(&s.raw, O_RDWR);
	fcntl(fd, F_SETFL, 0); /* by way of the page cache */
	for (tag = 0; tag < s.queue.depth; tag++)
		if (mmap(s.queue.buf + (size_t)tag * RAW_BUF_BYTES, RAW_BUF_BYTES,
			 PROT_READ | PROT_WRITE, MAP_SHARED | MAP_FIXED, fd, AT) == MAP_FAILED)
			bail("mmap: %s", strerror(errno));
	ret = write ? pwrite(fd, mem, 4096, AT) : pread(fd, mem, 4096, AT);
	if (write && ret == 4096)
		ret = fdatasync(fd);
	error = ret < 0 ? errno : 0;
	gone = raw_gone(&s.raw, 10);
	/*
	 * The request must fail. But an earlier request, such as the partition scan's, also makes
	 * the server fault that page in. So the driver may have removed the device before our
	 * request came. Then the request ends at once, or fdatasync() finds nothing to write.
	 */
	ok(error == EIO || (gone && (error == ENOSPC || error == ENXIO || ret == 0)),
	   "a %s of the page that is its buffer ends: %d, %s", write ? "WRITE" : "READ", ret,
	   strerror(error));
	ok(gone, "   the device goes");
	raw_server_stop(&s);
	ok(true, "   and its server was not held up");
	close(fd);
	munmap(mem, 4096);
}

/* ---- a commit that waits for what was answered with it ---- */

#define FAR (2 << 20)

static int cached; /* the device, by way of the page cache */
static struct ubdx_desc together[16];
static atomic_int nr_together;

/*
 * Requests for the page at AT are kept, and then answered in one submission with the request for
 * FAR, whose buffer is that page by then. To copy from the buffer the driver must wait for the
 * others' end.
 */
static int32_t answer_together(struct raw_queue *q, const struct ubdx_desc *desc, char *buf)
{
	int32_t bytes = desc->op == UBDX_OP_FLUSH ? 0 : (int32_t)desc->nr_sectors * 512;
	int i, nr = atomic_load(&nr_together);

	if (desc->sector / 8 == AT / 4096 && nr < 16) {
		memset(buf, 'a', bytes);
		together[nr] = *desc;
		atomic_store(&nr_together, nr + 1);
		return RAW_HOLD;
	}
	if (desc->sector == FAR / 512) {
		for (i = 0; i < nr; i++)
			raw_commit_later(q, together[i].tag, together[i].seq,
					 (int32_t)together[i].nr_sectors * 512, UBDX_COMMIT_MORE);
		/* more than two in a submission, else there is no batch */
		for (i = 0; i < 2; i++) {
			struct io_uring_sqe *sqe = io_uring_get_sqe(&q->ring);

			io_uring_prep_nop(sqe);
			sqe->flags |= IOSQE_CQE_SKIP_SUCCESS;
		}
		if (mmap(buf, 4096, PROT_READ, MAP_SHARED | MAP_FIXED, cached, AT) == MAP_FAILED)
			return -EIO;
	}
	return bytes;
}

static void waits_for_its_batch(void)
{
	char *mem = raw_mem(4096);
	struct reader reader;
	struct raw_server s;
	int fd;

	raw_defaults(&s.raw);
	s.raw.add.params.timeout_ms = 3000 * raw_slow();
	raw_server_start(&s, answer_together);
	cached = raw_bdev(&s.raw, O_RDWR);
	fcntl(cached, F_SETFL, 0);
	posix_fadvise(cached, 0, 0, POSIX_FADV_RANDOM);
	reader = (struct reader){ .fd = cached };
	pthread_create(&reader.thread, NULL, reader_main, &reader);
	if (!within(10, nr_together))
		bail("no request");
	poll(NULL, 0, 100); /* there may be more of them */
	fd = raw_bdev(&s.raw, O_RDWR);
	is(pread(fd, mem, 4096, FAR), 4096, "a READ whose buffer is a page that a READ fills");
	ok(mem[0] == 'a' && !memcmp(mem, mem + 1, 4095), "   gets the other READ's bytes");
	ok(within(10, reader.ended) && !reader.error, "   after the other READ has ended");
	pthread_join(reader.thread, NULL);
	raw_server_stop(&s);
	close(fd);
	close(cached);
	munmap(mem, 4096);
}

int main(void)
{
	serves_itself(true);
	serves_itself(false);
	waits_for_its_batch();
	return done();
}
