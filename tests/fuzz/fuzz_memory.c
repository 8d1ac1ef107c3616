// SPDX-License-Identifier: GPL-2.0
/*
 * fuzz_memory.c - what the fuzzer's servers do with memory: buffers of every kind that a FETCH can
 * name, which change while requests use them; and the mapping of the descriptors, which must not
 * change.
 */
#define _GNU_SOURCE
#include <errno.h>
#include <fcntl.h>
#include <linux/userfaultfd.h>
#include <stdio.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/mman.h>
#include <sys/syscall.h>
#include <sys/uio.h>
#include <unistd.h>

#include "fuzz_server.h"

#define AREA_BYTES (2UL << 20)
/* The kernel never chooses this range for a mapping, so holes here stay holes. */
#define AREAS_AT 0x10000000000UL

/* ---- buffers ---- */

enum { GOOD, NONE, READ_ONLY, SHARED, CUT, NEVER, NR_AREAS };

static int shared_fd = -1, cut_fd = -1;

static const uint64_t addresses[] = {
	0,
	0x10,
	0x7fffffffeff8, /* the address space's last word; the lab's stacks begin below it */
	0x7fffffffffff,
	0x800000000000, /* not a canonical address */
	0xffff888000000000, /* a kernel address */
	0xffffffffff600000,
	~0ULL - 4095,
	~0ULL,
};

static char *area_at(unsigned int area)
{
	return (char *)(AREAS_AT + area * AREA_BYTES);
}

static void map_area(unsigned int area, int prot, int fd)
{
	mmap(area_at(area), AREA_BYTES, prot,
	     MAP_FIXED | (fd < 0 ? MAP_PRIVATE | MAP_ANONYMOUS : MAP_SHARED), fd, 0);
}

/* A thread that touches the area waits for this process to provide a page, which it never does. */
static void never_provide(char *area)
{
	struct uffdio_api api = { .api = UFFD_API };
	struct uffdio_register reg = {
		.range = { .start = (uintptr_t)area, .len = AREA_BYTES },
		.mode = UFFDIO_REGISTER_MODE_MISSING,
	};
	int fd = syscall(SYS_userfaultfd, O_CLOEXEC);

	if (fd >= 0 && !ioctl(fd, UFFDIO_API, &api))
		ioctl(fd, UFFDIO_REGISTER, &reg);
}

static int memory_file(size_t bytes)
{
	int fd = memfd_create("fuzz", MFD_CLOEXEC);

	return fd < 0 || ftruncate(fd, bytes) ? -1 : fd;
}

void fuzz_memory_init(void)
{
	shared_fd = memory_file(AREA_BYTES);
	cut_fd = memory_file(AREA_BYTES);
	map_area(GOOD, PROT_READ | PROT_WRITE, -1);
	map_area(NONE, PROT_NONE, -1);
	map_area(READ_ONLY, PROT_READ, -1);
	map_area(SHARED, PROT_READ | PROT_WRITE, shared_fd);
	map_area(CUT, PROT_READ | PROT_WRITE, cut_fd);
	map_area(NEVER, PROT_READ | PROT_WRITE, -1);
	never_provide(area_at(NEVER));
	if (ftruncate(cut_fd, 8192))
		broken("ftruncate: %s", strerror(errno));
}

uint64_t fuzz_buffer(struct queue *q, unsigned int tag, unsigned int bad, struct rng *rng)
{
	unsigned int what = rng_below(rng, 20), area = rng_below(rng, NR_AREAS);
	/* buffers of different tags may overlap */
	uintptr_t at = (uint64_t)tag * q->s->add.params.max_io_bytes % AREA_BYTES;

	if (rng_below(rng, 100) >= bad)
		return (uintptr_t)area_at(GOOD) + at;
	if (what < 10)
		return (uintptr_t)area_at(area) + at;
	if (what < 14)
		return (uintptr_t)area_at(area) + AREA_BYTES - rng_below(rng, 8192);
	if (what < 16)
		return (uintptr_t)q->desc;
	return addresses[rng_below(rng, ARRAY_SIZE(addresses))];
}

void *fuzz_area(struct actor *a)
{
	unsigned int area = below(a, NR_AREAS);

	/* an actor that touches this area is stuck */
	if (area == NEVER && !chance(a, 10))
		area = GOOD;
	return area_at(area) + below(a, AREA_BYTES);
}

/* The file is our own block device: touching the memory sends a request to this very task. */
static bool map_own_device(struct actor *a)
{
	struct server *s = &PICK(a, fuzz_servers);
	char path[32];
	int fd;

	snprintf(path, sizeof(path), "/dev/ubdxb%d", s->add.id);
	fd = s->chan < 0 ? -1 : open(path, O_RDWR | O_CLOEXEC | O_NONBLOCK);
	if (fd < 0)
		return false;
	map_area(SHARED, PROT_READ | PROT_WRITE, fd);
	close(fd);
	return true;
}

/* Change one of the areas, while anything may use it. */
void act_memory(struct actor *a)
{
	static const int advices[] = { MADV_DONTNEED,	MADV_FREE,     MADV_REMOVE,  MADV_HUGEPAGE,
				       MADV_NOHUGEPAGE, MADV_PAGEOUT,  MADV_COLD,    MADV_MERGEABLE,
				       MADV_WIPEONFORK, MADV_DONTFORK, MADV_COLLAPSE };
	unsigned int area = below(a, NR_AREAS), what = below(a, 7);
	int prot = below(a, 8), advice = PICK(a, advices);
	char *p = area_at(area) + below(a, 64) * 4096;
	size_t bytes = (1 + below(a, 64)) * 4096;
	bool done = true;

	args(a, "area %u: %u", area, what);
	switch (what) {
	case 0:
		done = !mprotect(p, bytes, prot);
		break;
	case 1:
		done = !madvise(p, bytes, advice);
		break;
	case 2:
		done = !munmap(p, bytes);
		break;
	case 3: /* make it good again */
	case 4:
		map_area(GOOD, PROT_READ | PROT_WRITE, -1);
		map_area(SHARED, PROT_READ | PROT_WRITE, shared_fd);
		break;
	case 5:
		if (ftruncate(shared_fd, below(a, 2) * AREA_BYTES))
			broken("ftruncate: %s", strerror(errno));
		break;
	default:
		done = map_own_device(a);
		break;
	}
	if (done)
		worked(a);
}

/* ---- descriptors ---- */

void fuzz_map_desc(struct queue *q)
{
	void *p;

	q->desc_bytes = (q->depth * sizeof(struct ubdx_desc) + 4095) & ~4095UL;
	p = mmap(NULL, q->desc_bytes, PROT_READ, MAP_SHARED, q->s->chan,
		 q->qid * UBDX_MMAP_QUEUE_STRIDE);
	q->desc = p == MAP_FAILED ? NULL : p;
}

void fuzz_unmap_desc(struct queue *q)
{
	if (q->desc)
		munmap((void *)q->desc, q->desc_bytes);
	q->desc = NULL;
}

/* Read or write there, though it may not be mapped. Returns whether that worked. */
bool fuzz_touch(volatile char *p, bool write)
{
	volatile bool done = false;

	fuzz_touching = true;
	if (!sigsetjmp(fuzz_after_fault, 1)) {
		if (write)
			*p = 1;
		else
			(void)*p;
		done = true;
	}
	fuzz_touching = false;
	return done;
}

/* Every way to write to a mapping of the descriptors. None may succeed. */
static void write_desc(struct actor *a, char *p)
{
	static const char *const ways[] = { "store", "process_vm_writev", "/proc/self/mem",
					    "read" };
	unsigned int way = below(a, ARRAY_SIZE(ways));
	struct iovec from = { (char[8]){}, 8 }, to = { p, 8 };
	bool written = false;
	int fd;

	args(a, ": %s", ways[way]);
	switch (way) {
	case 0:
		written = fuzz_touch(p, true);
		break;
	case 1:
		written = process_vm_writev(getpid(), &from, 1, &to, 1, 0) > 0;
		break;
	case 2:
		fd = open("/proc/self/mem", O_RDWR | O_CLOEXEC);
		written = pwrite(fd, from.iov_base, 8, (uintptr_t)p) > 0;
		close(fd);
		break;
	default:
		fd = open("/dev/zero", O_RDONLY | O_CLOEXEC);
		written = read(fd, p, 8) > 0;
		close(fd);
		break;
	}
	if (written)
		broken("descriptors were written to by %s", ways[way]);
}

/* Try to make the kernel hold references to the pages. VM_PFNMAP must prevent that. */
static void pin_desc(struct actor *a, struct queue *q, char *p)
{
	struct iovec iov = { p, 4096 };
	int pipes[2];

	if (chance(a, 50)) {
		if (q->has_ring && !io_uring_register_buffers(&q->ring, &iov, 1)) {
			broken("descriptors were registered as a buffer");
			io_uring_unregister_buffers(&q->ring);
		}
	} else if (!pipe2(pipes, O_CLOEXEC | O_NONBLOCK)) {
		if (vmsplice(pipes[1], &iov, 1, 0) > 0)
			broken("descriptors went into a pipe");
		close(pipes[0]);
		close(pipes[1]);
	}
}

/* Only the window for READs may be mapped writable. */
static bool may_be_written(uint64_t offset)
{
	return offset >= UBDX_MMAP_WINDOWS && !(offset & UBDX_WINDOW_WRITE);
}

/* A mapping that usually must be refused. */
static void map_desc(struct actor *a, struct queue *q)
{
	static const int prots[] = { PROT_READ, PROT_READ | PROT_WRITE, PROT_NONE,
				     PROT_READ | PROT_EXEC, PROT_WRITE };
	static const int kinds[] = { MAP_SHARED, MAP_PRIVATE, MAP_SHARED | MAP_POPULATE,
				     MAP_SHARED | MAP_LOCKED };
	uint64_t offset = chance(a, 50) ? below(a, 3) * UBDX_MMAP_QUEUE_STRIDE : edge(a) & ~4095UL;
	size_t bytes = chance(a, 60) ? q->desc_bytes : below(a, 64) * 4096;
	int prot = PICK(a, prots), kind = PICK(a, kinds);
	char *p = mmap(NULL, bytes, prot, kind, q->s->chan, offset);

	args(a, ": prot %d flags %x offset %lx bytes %zu", prot, kind, offset, bytes);
	if (p == MAP_FAILED)
		return;
	if (prot & PROT_EXEC || (prot & PROT_WRITE && !may_be_written(offset)))
		broken("offset %lx was mapped with protection %d", offset, prot);
	munmap(p, chance(a, 50) ? bytes : 4096);
}

/*
 * Do something to a mapping of the descriptors. This is usually a second mapping, because the
 * server needs the first one to answer.
 */
void act_desc(struct actor *a)
{
	static const int advices[] = { MADV_DONTNEED,	   MADV_REMOVE,		MADV_DOFORK,
				       MADV_DODUMP,	   MADV_WILLNEED,	MADV_HUGEPAGE,
				       MADV_POPULATE_READ, MADV_POPULATE_WRITE, MADV_PAGEOUT };
	struct queue *mine = fuzz_some_queue(a), q;
	unsigned int what = below(a, 9), bytes = (below(a, 4) + 1) * 4096;
	int prot = below(a, 8), advice = PICK(a, advices);
	char *p;

	if (!mine)
		return;
	q = *mine;
	fuzz_map_desc(&q);
	p = (char *)q.desc;
	if (!p)
		return;
	args(a, "%u", what);
	worked(a);
	switch (what) {
	case 0:
		map_desc(a, &q);
		break;
	case 1:
	case 2:
		write_desc(a, p);
		break;
	case 3:
		pin_desc(a, &q, p);
		break;
	case 4:
		p = mremap(p, q.desc_bytes, bytes, MREMAP_MAYMOVE);
		if (p != MAP_FAILED && bytes > q.desc_bytes)
			broken("the descriptors' mapping grew");
		if (p != MAP_FAILED)
			munmap(p, bytes);
		q.desc = p == MAP_FAILED ? q.desc : NULL;
		break;
	case 5:
		if (!mprotect(p, q.desc_bytes, prot) && (prot & (PROT_WRITE | PROT_EXEC)))
			broken("descriptors were made writable or executable");
		break;
	case 6:
		madvise(p, q.desc_bytes, advice);
		mlock(p, q.desc_bytes);
		msync(p, q.desc_bytes, MS_SYNC);
		break;
	case 7:
		never_provide(p);
		break;
	default:
		if (chance(a, 20))
			fuzz_unmap_desc(mine);
		break;
	}
	fuzz_unmap_desc(&q);
}
