// SPDX-License-Identifier: GPL-2.0
/*
 * powercut.c - what the client of a device was told is stable is on the disk below after a power cut.
 *
 *	powercut write DEVICE NAME	write to DEVICE; NAME is the dm-log-writes device below it
 *	powercut check LOG DISK		replay LOG, the log of NAME, onto DISK, and check it
 *
 * dm-log-writes logs a write when it is stable: a FUA write when it ends, any other when a FLUSH that
 * began after its end has ended. So what the log has up to some entry is the least that is on the disk
 * if the power fails there. After each FUA write and each flush, the writer puts a mark into the log.
 * At each mark, the check demands what was stable then.
 *
 * The layout of the log is that of drivers/md/dm-log-writes.c.
 */
#define _GNU_SOURCE
#include <errno.h>
#include <fcntl.h>
#include <linux/types.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/uio.h>
#include <unistd.h>

#include "raw.h"
#include "tap.h"

#define BLOCK 4096U
#define NR_BLOCKS 1024U
#define NR_STEPS 300U

/* ---- the steps; the same for writer and check ---- */

enum kind { PLAIN, FUA, FLUSHED };

struct step {
	unsigned int block;
	enum kind kind;
};

static struct step step_of(unsigned int nr)
{
	unsigned int seed = nr * 2654435761U + 1, random;
	struct step step;

	step.block = rand_r(&seed) % NR_BLOCKS;
	random = rand_r(&seed) % 8;
	step.kind = random == 0 ? FUA : random == 1 ? FLUSHED : PLAIN;
	return step;
}

/* The block's number and its version, the number of the step that wrote it, are in all words. */
static void fill(char *buf, unsigned int block, unsigned int version)
{
	unsigned int i;

	for (i = 0; i < BLOCK / 8; i++)
		((uint64_t *)buf)[i] = (uint64_t)block << 32 | version;
}

/* ---- the writer ---- */

static void mark(const char *name, unsigned int nr)
{
	char command[128];

	snprintf(command, sizeof(command), "dmsetup message %s 0 mark %u", name, nr);
	if (system(command))
		bail("%s", command);
}

static void write_all(const char *device, const char *name)
{
	int fd = open(device, O_RDWR | O_DIRECT | O_CLOEXEC);
	char *buf = raw_mem(BLOCK);
	const struct iovec iov = { .iov_base = buf, .iov_len = BLOCK };
	unsigned int nr;

	if (fd < 0)
		bail("%s: %m", device);
	for (nr = 1; nr <= NR_STEPS; nr++) {
		const struct step step = step_of(nr);

		fill(buf, step.block, nr);
		if (pwritev2(fd, &iov, 1, (off_t)step.block * BLOCK,
			     step.kind == FUA ? RWF_DSYNC : 0) != BLOCK)
			bail("step %u: %m", nr);
		if (step.kind == FLUSHED && fdatasync(fd))
			bail("step %u: fdatasync: %m", nr);
		if (step.kind != PLAIN)
			mark(name, nr);
	}
	close(fd);
}

/* ---- the log ---- */

#define LOG_MAGIC 0x6a736677736872ULL

enum { LOG_FLUSH = 1 << 0, LOG_FUA = 1 << 1, LOG_DISCARD = 1 << 2, LOG_MARK = 1 << 3 };

struct log_super {
	__le64 magic;
	__le64 version;
	__le64 nr_entries;
	__le32 sectorsize;
};

struct log_entry {
	__le64 sector;
	__le64 nr_sectors;
	__le64 flags;
	__le64 data_len; /* of a mark, in bytes */
};

static int disk;
static unsigned int nr_marks, nr_writes, nr_wrong;

/* What must be on the disk, and what can be: the last versions that are stable, and that were written. */
static unsigned int stable[NR_BLOCKS], written[NR_BLOCKS], done_steps;

static void do_steps(unsigned int until)
{
	struct step step;

	while (done_steps < until) {
		step = step_of(++done_steps);
		written[step.block] = done_steps;
		if (step.kind == FUA)
			stable[step.block] = done_steps;
		if (step.kind == FLUSHED)
			memcpy(stable, written, sizeof(stable));
	}
}

static void check_disk(unsigned int nr)
{
	static char *buf, *want;
	unsigned int block, version;

	if (!buf) {
		buf = raw_mem(BLOCK);
		want = raw_mem(BLOCK);
	}
	do_steps(nr);
	for (block = 0; block < NR_BLOCKS; block++) {
		if (pread(disk, buf, BLOCK, (off_t)block * BLOCK) != BLOCK)
			bail("reading the disk: %m");
		version = *(uint32_t *)buf;
		fill(want, version ? block : 0, version);
		if (memcmp(buf, want, BLOCK) || version < stable[block] ||
		    version > written[block]) {
			printf("# mark %u: block %u has version %u, of %u to %u\n", nr, block,
			       version, stable[block], written[block]);
			nr_wrong++;
		}
	}
	nr_marks++;
}

static void replay(int log, const struct log_entry *entry, off_t at)
{
	size_t bytes = entry->nr_sectors * 512;
	char *buf;

	if (!bytes || entry->flags & LOG_DISCARD)
		return;
	buf = raw_mem(bytes);
	if (pread(log, buf, bytes, at) != (ssize_t)bytes ||
	    pwrite(disk, buf, bytes, entry->sector * 512) != (ssize_t)bytes)
		bail("replaying %zu bytes at sector %llu: %m", bytes,
		     (unsigned long long)entry->sector);
	munmap(buf, bytes);
	nr_writes++;
}

static void check_all(const char *log_path, const char *disk_path)
{
	int log = open(log_path, O_RDONLY | O_CLOEXEC);
	char sector[4096] = "";
	const struct log_super *super = (void *)sector;
	const struct log_entry *entry = (void *)sector;
	unsigned long long nr;
	unsigned long mark;
	off_t at;

	disk = open(disk_path, O_RDWR | O_CLOEXEC);
	if (log < 0 || disk < 0 || pread(log, sector, sizeof(sector), 0) != sizeof(sector))
		bail("log and disk: %m");
	if (super->magic != LOG_MAGIC || super->version != 1 || super->sectorsize != 512)
		bail("%s is no log that is known here", log_path);
	nr = super->nr_entries;
	for (at = 512; nr; nr--) {
		if (pread(log, sector, 512, at) != 512)
			bail("reading the log: %m");
		at += 512;
		if (entry->flags & LOG_MARK) {
			mark = strtoul(sector + sizeof(*entry), NULL, 10);
			/* dm-log-writes itself marks the end */
			check_disk(mark ? mark : NR_STEPS);
			continue;
		}
		replay(log, entry, at);
		if (!(entry->flags & LOG_DISCARD))
			at += entry->nr_sectors * 512;
	}
	printf("# %u writes, %u marks\n", nr_writes, nr_marks);
	ok(nr_marks > 40 && nr_writes > 200, "the log has writes and marks");
	is(nr_wrong, 0, "at each mark the disk has all that was stable");
}

int main(int argc, char **argv)
{
	if (argc == 4 && !strcmp(argv[1], "write")) {
		write_all(argv[2], argv[3]);
		return 0;
	}
	if (argc != 4 || strcmp(argv[1], "check"))
		bail("usage: powercut write DEVICE NAME | check LOG DISK");
	check_all(argv[2], argv[3]);
	return done();
}
