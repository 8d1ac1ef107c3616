// SPDX-License-Identifier: GPL-2.0
/*
 * matrix_client.c - a cell's client. It makes load on both queues, and one request, the subject,
 * that the cell holds at its stage. At T1 another request, the bait, keeps the server's thread busy
 * before the subject comes.
 *
 * If no process may have the device open, the subject is a read-ahead, and the last close waits for
 * it.
 */
#define _GNU_SOURCE
#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <sched.h>
#include <stdlib.h>
#include <string.h>
#include <sys/syscall.h>
#include <unistd.h>

#include "matrix.h"
#include "tap.h"

static struct shared *shared;
static int device_fd;

/* ---- CPUs ---- */

int cpus_but_last(void)
{
	return sysconf(_SC_NPROCESSORS_CONF) - 1;
}

/* Pin the calling thread to the CPU. Best effort: a failure is ignored. */
void run_on(int cpu)
{
	cpu_set_t set;

	CPU_ZERO(&set);
	CPU_SET(cpu, &set);
	sched_setaffinity(0, sizeof(set), &set);
}

void run_elsewhere(void)
{
	cpu_set_t set;
	int cpu;

	CPU_ZERO(&set);
	for (cpu = 0; cpu < cpus_but_last(); cpu++)
		CPU_SET(cpu, &set);
	sched_setaffinity(0, sizeof(set), &set);
}

/* ---- requests ---- */

/* The queue that serves this CPU. */
static unsigned int queue_of(int cpu)
{
	char path[64], list[256], *word, *rest;
	unsigned int qid;
	FILE *f;

	for (qid = 0; qid < QUEUES; qid++) {
		snprintf(path, sizeof(path), "/sys/block/ubdxb%d/mq/%u/cpu_list", shared->id, qid);
		f = fopen(path, "r");
		rest = f ? fgets(list, sizeof(list), f) : NULL;
		if (f)
			fclose(f);
		while ((word = strsep(&rest, ",")))
			if (atoi(word) == cpu)
				return qid;
	}
	return 0;
}

static int one(bool write, char *mem, uint64_t sector, size_t bytes)
{
	ssize_t n;

	if (write)
		pattern_fill(mem, sector, bytes);
	else
		memset(mem, 0, bytes);
	n = write ? pwrite(device_fd, mem, bytes, sector * 512) :
		    pread(device_fd, mem, bytes, sector * 512);
	if (n < 0)
		return errno;
	if (n != (ssize_t)bytes)
		return ENODATA; /* a disk that is gone has size 0 */
	if (!write && !pattern_good(mem, sector, bytes))
		atomic_fetch_add(&shared->wrong_out, 1);
	return 0;
}

static void *load(void *arg)
{
	long me = (long)arg;
	unsigned int seed = me;
	char *mem = raw_mem(1 << 20);
	int error = 0;

	run_on(me % cpus_but_last());
	while (!error && !atomic_load(&shared->stop_load)) {
		/* one in 16 is so large that it becomes several requests */
		size_t bytes = rand_r(&seed) % 16 ? 4096U << rand_r(&seed) % 4 : 1 << 20;
		uint64_t sector = LOAD_SECTOR + rand_r(&seed) % (LOAD_SECTORS / 8) * 8;

		error = one(rand_r(&seed) % 2, mem, sector, bytes);
		atomic_fetch_add(&shared->load_ios, 1);
		if (rand_r(&seed) % 4 == 0)
			poll(NULL, 0, 1);
	}
	atomic_store(&shared->load_failed[me], error);
	atomic_fetch_sub(&shared->loaders, 1);
	return NULL;
}

static void wait_for(atomic_int *order)
{
	while (!atomic_load(order))
		poll(NULL, 0, 1);
}

static void *bait(void *arg)
{
	run_on(cpus_but_last());
	wait_for(&shared->start_bait);
	atomic_store(&shared->bait_error,
		     one(false, raw_mem(SUBJECT_BYTES), BAIT_SECTOR, SUBJECT_BYTES));
	atomic_store(&shared->bait_ended, 1);
	return NULL;
}

static void *subject(void *arg)
{
	char *mem = raw_mem(SUBJECT_BYTES);

	run_on(cpus_but_last());
	wait_for(&shared->start_subject);
	atomic_store(&shared->subject_tid, gettid());
	atomic_store(&shared->subject_error,
		     one(shared->subject_writes, mem, SUBJECT_SECTOR, SUBJECT_BYTES));
	atomic_store(&shared->subject_ended, 1);
	return NULL;
}

/* The last close waits for read-ahead. */
static void close_while_reading(void)
{
	char path[32];
	int fd;

	run_on(cpus_but_last());
	snprintf(path, sizeof(path), "/dev/ubdxb%d", shared->id);
	fd = open(path, O_RDONLY | O_CLOEXEC);
	if (fd < 0)
		bail("open: %s", strerror(errno));
	shared->qid = queue_of(cpus_but_last());
	atomic_store(&shared->client_ready, 1);
	while (!atomic_load(&shared->start_subject)) {
		if (atomic_exchange(&shared->start_bait, 0))
			posix_fadvise(fd, BAIT_SECTOR * 512, SUBJECT_BYTES, POSIX_FADV_WILLNEED);
		poll(NULL, 0, 1);
	}
	atomic_store(&shared->subject_tid, gettid());
	posix_fadvise(fd, SUBJECT_SECTOR * 512, SUBJECT_BYTES, POSIX_FADV_WILLNEED);
	close(fd);
	atomic_store(&shared->bait_ended, 1);
	atomic_store(&shared->subject_ended, 1);
	_exit(0);
}

void client_main(struct shared *sh)
{
	struct raw raw = {};
	pthread_t thread;
	long i;

	shared = sh;
	snprintf(raw.path, sizeof(raw.path), "/dev/ubdxb%d", sh->id);
	device_fd = raw_bdev(&raw, O_RDWR); /* waits for the node */
	if (sh->no_load) {
		close(device_fd);
		close_while_reading();
	}
	sh->qid = queue_of(cpus_but_last());
	atomic_store(&sh->loaders, LOADERS);
	for (i = 0; i < LOADERS; i++)
		pthread_create(&thread, NULL, load, (void *)i);
	pthread_create(&thread, NULL, bait, NULL);
	pthread_create(&thread, NULL, subject, NULL);
	atomic_store(&sh->client_ready, 1);
	for (;;)
		pause();
}
