// SPDX-License-Identifier: GPL-2.0
/*
 * metadata-cost.c DEVICE flush|discard|write_zeroes NUMBER - make that many requests without a
 * payload, one after the other. Prints how long they took, in ns.
 */
#define _GNU_SOURCE
#include <fcntl.h>
#include <linux/fs.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>
#include <time.h>
#include <unistd.h>

static uint64_t now(void)
{
	struct timespec ts;

	clock_gettime(CLOCK_MONOTONIC, &ts);
	return ts.tv_sec * 1000000000ULL + ts.tv_nsec;
}

static int one(int fd, const char *op, uint64_t at)
{
	uint64_t range[2] = { at, 4096 };

	if (!strcmp(op, "flush"))
		return fsync(fd);
	return ioctl(fd, !strcmp(op, "discard") ? BLKDISCARD : BLKZEROOUT, range);
}

int main(int argc, char **argv)
{
	int fd = argc == 4 ? open(argv[1], O_RDWR | O_DIRECT) : -1;
	uint64_t number, i, start;

	if (fd < 0) {
		fprintf(stderr, "usage: metadata-cost DEVICE flush|discard|write_zeroes NUMBER\n");
		return 2;
	}
	number = strtoull(argv[3], NULL, 0);
	start = now();
	for (i = 0; i < number; i++) {
		if (one(fd, argv[2], i % 1024 * 4096)) {
			perror(argv[2]);
			return 1;
		}
	}
	printf("%llu\n", (unsigned long long)(now() - start));
	return 0;
}
