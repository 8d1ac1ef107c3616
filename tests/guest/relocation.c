// SPDX-License-Identifier: GPL-2.0
/*
 * relocation.c - a server that moves its data while clients read and write, on a device with extents.
 *
 *	relocation DISK SLOW
 *
 * The device's chunks lie anywhere on DISK, a block device of 64 MiB. SLOW is the same storage with a
 * delay, and the extents' file. The server leaves extents of a part of the chunks with the driver: of
 * none, half, or all of them. Two things move a chunk:
 *
 * - relocation: any chunk, at any time;
 * - copy-on-write: a snapshot shares all chunks. The first WRITE to a shared chunk copies it. So the
 *   extent of a shared chunk is for READs only.
 *
 * Before it copies, the server revokes the chunk's extent and waits for the I/O that has used it.
 *
 * Each block of the device has its number and a version in all of its words. Each client has blocks of
 * its own, so it knows their versions. The snapshot must not change.
 */
#define _GNU_SOURCE
#include <errno.h>
#include <fcntl.h>
#include <string.h>
#include <sys/mman.h>
#include <unistd.h>

#include "front.h"
#include "tap.h"

#define CHUNK (64U << 10)
#define BLOCK 4096U
#define NR_CHUNKS 128U
#define NR_BLOCKS (NR_CHUNKS * (CHUNK / BLOCK))
#define NR_PLACES (3 * NR_CHUNKS) /* on the disk: for data, for a snapshot, and free ones */
#define NR_CLIENTS 4U
#define LARGE (2 * CHUNK)

static struct raw_server server;
static int disk;

/* ---- the server's map; under lock ---- */

static pthread_mutex_t lock = PTHREAD_MUTEX_INITIALIZER;
static struct {
	unsigned int place;
	bool shared; /* with the snapshot */
} chunks[NR_CHUNKS];
static unsigned int snapshot[NR_CHUNKS]; /* places */
static bool used[NR_PLACES];
static unsigned int percent; /* how many chunks have an extent */
static unsigned long nr_relocated, nr_copied;
static char *bounce; /* CHUNK */

static bool has_extent(unsigned int chunk)
{
	return chunk * 37 % 100 < percent;
}

static void leave(unsigned int chunk)
{
	unsigned int flags = chunks[chunk].shared ? UBDX_EXTENT_READ : RW;

	if (has_extent(chunk) &&
	    map((off_t)chunk * CHUNK, CHUNK, 0, (off_t)chunks[chunk].place * CHUNK, flags))
		bail("MAP failed");
}

static unsigned int free_place(void)
{
	static unsigned int next;
	unsigned int i;

	for (i = 0; i < NR_PLACES; i++) {
		next = (next + 7) % NR_PLACES;
		if (!used[next])
			return next;
	}
	bail("the disk is full");
}

static void move(unsigned int chunk)
{
	unsigned int from = chunks[chunk].place, to = free_place();

	if (take_back((off_t)chunk * CHUNK, CHUNK, UBDX_REVOKE_DRAIN))
		bail("REVOKE failed");
	if (pread(disk, bounce, CHUNK, (off_t)from * CHUNK) != CHUNK ||
	    pwrite(disk, bounce, CHUNK, (off_t)to * CHUNK) != CHUNK)
		bail("copying a chunk: %m");
	if (!chunks[chunk].shared)
		used[from] = false;
	used[to] = true;
	chunks[chunk].place = to;
	chunks[chunk].shared = false;
	leave(chunk);
}

static void relocate(unsigned int chunk)
{
	pthread_mutex_lock(&lock);
	/* A shared chunk's data has two owners. Copying it would end that. */
	if (!chunks[chunk].shared) {
		move(chunk);
		nr_relocated++;
	}
	pthread_mutex_unlock(&lock);
}

/* Forget the last snapshot, and make one of what there is now. */
static void take_snapshot(unsigned int new_percent)
{
	unsigned int i;

	pthread_mutex_lock(&lock);
	percent = new_percent;
	if (take_back(0, NR_CHUNKS * CHUNK, UBDX_REVOKE_DRAIN))
		bail("REVOKE failed");
	memset(used, 0, sizeof(used));
	for (i = 0; i < NR_CHUNKS; i++) {
		snapshot[i] = chunks[i].place;
		used[snapshot[i]] = true;
		chunks[i].shared = true;
		leave(i);
	}
	pthread_mutex_unlock(&lock);
}

/* ---- requests ---- */

static int serve_part(bool write, off_t at, char *buf, size_t bytes)
{
	unsigned int chunk = at / CHUNK;
	off_t to;

	if (write && chunks[chunk].shared) {
		move(chunk);
		nr_copied++;
	}
	to = (off_t)chunks[chunk].place * CHUNK + at % CHUNK;
	return (write ? pwrite(disk, buf, bytes, to) : pread(disk, buf, bytes, to)) !=
	       (ssize_t)bytes;
}

static int32_t answer(struct raw_queue *queue, const struct ubdx_desc *desc, char *buf)
{
	size_t bytes = (size_t)desc->nr_sectors * 512, done, part;
	off_t at = desc->sector * 512;
	int failed = 0;

	if (desc->op != UBDX_OP_READ && desc->op != UBDX_OP_WRITE)
		return desc->op == UBDX_OP_FLUSH ? 0 : -EOPNOTSUPP;
	pthread_mutex_lock(&lock);
	for (done = 0; done < bytes; done += part) {
		part = CHUNK - (at + done) % CHUNK;
		if (part > bytes - done)
			part = bytes - done;
		failed |= serve_part(desc->op == UBDX_OP_WRITE, at + done, buf + done, part);
	}
	pthread_mutex_unlock(&lock);
	return failed ? -EIO : (int32_t)bytes;
}

/* ---- clients ---- */

static uint32_t versions[NR_BLOCKS]; /* each written by its block's client only */
static atomic_bool stop;
static atomic_ulong nr_reads, nr_writes, nr_wrong;

static uint64_t word(unsigned int block, uint32_t version)
{
	return (uint64_t)block << 32 | version;
}

static void fill(char *buf, unsigned int block, uint32_t version)
{
	unsigned int i;

	for (i = 0; i < BLOCK / 8; i++)
		((uint64_t *)buf)[i] = word(block, version);
}

/* Is it that block, in one version? */
static bool is_block(const char *buf, unsigned int block)
{
	const uint64_t *words = (const void *)buf;

	return words[0] >> 32 == block && !memcmp(buf, buf + 8, BLOCK - 8);
}

static bool is_version(const char *buf, unsigned int block, uint32_t version)
{
	return is_block(buf, block) && *(const uint64_t *)buf == word(block, version);
}

static void client_write(int fd, char *buf, unsigned int block)
{
	fill(buf, block, versions[block] + 1);
	if (pwrite(fd, buf, BLOCK, (off_t)block * BLOCK) != BLOCK)
		nr_wrong++;
	versions[block]++;
	nr_writes++;
}

static void client_read(int fd, char *buf, unsigned int block)
{
	if (pread(fd, buf, BLOCK, (off_t)block * BLOCK) != BLOCK ||
	    !is_version(buf, block, versions[block]))
		nr_wrong++;
	nr_reads++;
}

/* Other clients' blocks, too. Goes over the ends of chunks. */
static void client_read_large(int fd, char *buf, unsigned int block)
{
	unsigned int i;

	if (block > NR_BLOCKS - LARGE / BLOCK)
		block = NR_BLOCKS - LARGE / BLOCK;
	if (pread(fd, buf, LARGE, (off_t)block * BLOCK) != LARGE)
		nr_wrong++;
	for (i = 0; i < LARGE / BLOCK; i++)
		nr_wrong += !is_block(buf + (size_t)i * BLOCK, block + i);
	nr_reads++;
}

static void *client_run(void *arg)
{
	unsigned int client = (uintptr_t)arg, seed = client + 1, block;
	int fd = raw_bdev(&server.raw, O_RDWR);
	char *buf = raw_mem(LARGE);

	while (!stop) {
		block = rand_r(&seed) % (NR_BLOCKS / NR_CLIENTS) * NR_CLIENTS + client;
		switch (rand_r(&seed) % 16) {
		case 0:
			client_read_large(fd, buf, block);
			break;
		case 1 ... 8:
			client_write(fd, buf, block);
			break;
		default:
			client_read(fd, buf, block);
			break;
		}
	}
	munmap(buf, LARGE);
	close(fd);
	return NULL;
}

/* ---- the test ---- */

static unsigned long value_of_both(const char *what)
{
	char reads[32], writes[32];

	snprintf(reads, sizeof(reads), "read_%s", what);
	snprintf(writes, sizeof(writes), "write_%s", what);
	return counter("extents", reads) + counter("extents", writes);
}

/* Returns how many blocks of the snapshot aren't @then. */
static unsigned int snapshot_differs(const uint32_t *then)
{
	unsigned int block, wrong = 0;

	for (block = 0; block < NR_BLOCKS; block++) {
		off_t at = (off_t)block * BLOCK;
		off_t place = (off_t)snapshot[at / CHUNK] * CHUNK;

		wrong += pread(disk, bounce, BLOCK, place + at % CHUNK) != BLOCK ||
			 !is_version(bounce, block, then[block]);
	}
	return wrong;
}

static unsigned int device_differs(void)
{
	int fd = raw_bdev(&server.raw, O_RDONLY);
	unsigned int block, wrong = 0;
	char *buf = raw_mem(BLOCK);

	for (block = 0; block < NR_BLOCKS; block++)
		wrong += pread(fd, buf, BLOCK, (off_t)block * BLOCK) != BLOCK ||
			 !is_version(buf, block, versions[block]);
	munmap(buf, BLOCK);
	close(fd);
	return wrong;
}

/* Each of this many times, since the counters were @hits and @misses. */
#define ENOUGH 500

static bool is_enough(unsigned long hits, unsigned long misses)
{
	return nr_reads > ENOUGH && nr_writes > ENOUGH && nr_relocated > 100 &&
	       nr_copied == NR_CHUNKS && (!percent || value_of_both("hits") - hits > ENOUGH) &&
	       (percent == 100 || value_of_both("misses") - misses > ENOUGH);
}

static void run(unsigned int new_percent)
{
	unsigned long hits = value_of_both("hits"), misses = value_of_both("misses");
	uint32_t then[NR_BLOCKS];
	pthread_t threads[NR_CLIENTS];
	unsigned int i, seed = new_percent;
	double end = raw_now() + 60;
	bool enough = false;

	memcpy(then, versions, sizeof(then));
	take_snapshot(new_percent);
	nr_relocated = nr_copied = 0;
	nr_reads = nr_writes = nr_wrong = 0;
	stop = false;
	for (i = 0; i < NR_CLIENTS; i++)
		if (pthread_create(&threads[i], NULL, client_run, (void *)(uintptr_t)i))
			bail("thread");
	while (!enough && raw_now() < end) {
		for (i = 0; i < 100; i++) {
			relocate(rand_r(&seed) % NR_CHUNKS);
			poll(NULL, 0, 1);
		}
		enough = is_enough(hits, misses);
	}
	stop = true;
	for (i = 0; i < NR_CLIENTS; i++)
		pthread_join(threads[i], NULL);
	hits = value_of_both("hits") - hits;
	misses = value_of_both("misses") - misses;
	printf("# %u %%: %lu READs, %lu WRITEs, %lu hits, %lu misses; %lu relocations, %lu copies on write\n",
	       percent, nr_reads, nr_writes, hits, misses, nr_relocated, nr_copied);
	ok(enough, "%u %% of the chunks have extents: enough I/O, relocations and copies", percent);
	ok(percent || !hits, "   no I/O uses an extent where there is none");
	is(nr_wrong, 0, "   each READ has the right bytes");
	is(snapshot_differs(then), 0, "   the snapshot hasn't changed");
	is(device_differs(), 0, "   each block has its last version");
}

int main(int argc, char **argv)
{
	unsigned int i;

	int slow;

	if (argc != 3)
		bail("usage: relocation DISK SLOW");
	disk = open(argv[1], O_RDWR | O_DIRECT | O_CLOEXEC);
	if (disk < 0)
		bail("%s: %m", argv[1]);
	bounce = raw_mem(CHUNK);
	for (i = 0; i < NR_CHUNKS; i++)
		chunks[i].place = i;
	for (i = 0; i < NR_BLOCKS; i++) {
		fill(bounce, i, 0);
		if (pwrite(disk, bounce, BLOCK, (off_t)i * BLOCK) != BLOCK)
			bail("writing: %m");
	}
	raw_defaults(&server.raw);
	server.raw.add.features = UBDX_F_EXTENTS;
	server.raw.add.params.dev_sectors = NR_CHUNKS * CHUNK / 512;
	raw_server_start(&server, answer);
	raw = server.raw; /* for map() and take_back() */
	slow = open(argv[2], O_RDWR | O_DIRECT | O_CLOEXEC);
	if (slow < 0 || set_file(0, slow))
		bail("%s can't be registered", argv[2]);
	run(0);
	run(50);
	run(100);
	raw_server_stop(&server);
	return done();
}
