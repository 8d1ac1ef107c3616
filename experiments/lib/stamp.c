// SPDX-License-Identifier: GPL-2.0
/*
 * stamp FILE WORDS... -- DISK: append a line of counters to FILE. fio runs it before and after each
 * job, as exec_prerun and exec_postrun.
 *
 * The line is WORDS, then: the clock (ns), how often the CPUs went idle, how often a CPU switched
 * tasks, and DISK's reads, read merges, sectors read, writes, write merges, sectors written. If the
 * first word is "pre", the clock is read last, otherwise first. So the work of this program lies
 * outside the interval between the two stamps.
 *
 * Entries into the idle loop are counted, not the idle time in /proc/stat: that comes in steps of
 * 10 ms. On the counting clock, which jumps while the CPU is halted, it also grew while the CPU was
 * busy.
 */
#include <err.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

typedef unsigned long long u64;

static u64 now(void)
{
	struct timespec t;

	clock_gettime(CLOCK_MONOTONIC_RAW, &t);
	return t.tv_sec * 1000000000ULL + t.tv_nsec;
}

/* The sum of the numbers in the lines of @path that match @format, which has one conversion. */
static u64 sum_lines(const char *path, const char *format)
{
	char line[4096];
	u64 n, sum = 0;
	FILE *f = fopen(path, "r");

	if (!f)
		err(1, "stamp: %s", path);
	while (fgets(line, sizeof(line), f))
		if (sscanf(line, format, &n) == 1)
			sum += n;
	fclose(f);
	return sum;
}

/*
 * The kernel counts a request as ended after it has counted the sectors and woken the submitter. If
 * the submitter runs first, the last request of a job is still in flight here.
 */
static void read_disk(const char *disk, u64 n[6])
{
	u64 in_flight, tries = 1000;
	char path[128];
	FILE *f;

	snprintf(path, sizeof(path), "/sys/block/%s/stat", disk);
	do {
		f = fopen(path, "r");
		if (!f)
			err(1, "stamp: %s", path);
		if (fscanf(f, "%llu %llu %llu %*u %llu %llu %llu %*u %llu", &n[0], &n[1], &n[2],
			   &n[3], &n[4], &n[5], &in_flight) != 7)
			errx(1, "stamp: %s: unknown format", path);
		fclose(f);
	} while (in_flight && --tries && !usleep(1000));
	if (in_flight)
		errx(1, "stamp: %s: a request doesn't end", disk);
}

int main(int argc, char **argv)
{
	u64 ns = now(), idles, switches, disk[6];
	char line[512];
	int i, fd, len = 0;

	if (argc < 5 || strcmp(argv[argc - 2], "--"))
		errx(2, "usage: stamp FILE WORDS... -- DISK");
	idles = sum_lines("/proc/timer_list", " .idle_calls : %llu");
	switches = sum_lines("/proc/schedstat", "cpu%*d %*u %*u %*u %*u %*u %*u %*u %*u %llu");
	read_disk(argv[argc - 1], disk);
	fd = open(argv[1], O_WRONLY | O_CREAT | O_APPEND | O_CLOEXEC, 0644);
	if (fd < 0)
		err(1, "stamp: %s", argv[1]);
	for (i = 2; i < argc - 2; i++)
		len += snprintf(line + len, sizeof(line) - len, "%s\t", argv[i]);
	if (len > (int)sizeof(line) / 2)
		errx(2, "stamp: the words are too long");
	if (!strcmp(argv[2], "pre"))
		ns = now();
	len += snprintf(line + len, sizeof(line) - len,
			"%llu\t%llu\t%llu\t%llu\t%llu\t%llu\t%llu\t%llu\t%llu\n", ns, idles,
			switches, disk[0], disk[1], disk[2], disk[3], disk[4], disk[5]);
	if (write(fd, line, len) != len)
		err(1, "stamp: %s", argv[1]);
	return 0;
}
