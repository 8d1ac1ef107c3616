// SPDX-License-Identifier: GPL-2.0
/*
 * front.c - see front.h.
 */
#define _GNU_SOURCE
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <string.h>
#include <sys/ioctl.h>
#include <unistd.h>

#include "front.h"
#include "tap.h"

char *mem, *pattern, *scratch;

int set_file(unsigned int index, int fd)
{
	struct ubdx_file arg = { .index = index, .fd = fd };

	return ioctl(raw.chan, UBDX_IOC_SET_FILE, &arg) ? -errno : 0;
}

int map_many(const struct ubdx_map_extent *extents, unsigned int nr)
{
	const struct ubdx_map_args arg = { .addr = (uintptr_t)extents, .nr = nr };

	return ioctl(raw.chan, UBDX_IOC_MAP, &arg) ? -errno : 0;
}

int map(off_t at, size_t bytes, unsigned int file, off_t offset, unsigned int flags)
{
	const struct ubdx_map_extent extent = {
		.sector = at >> 9,
		.nr_sectors = bytes >> 9,
		.offset = offset,
		.file = file,
		.flags = flags,
	};

	return map_many(&extent, 1);
}

int take_back(off_t at, size_t bytes, unsigned int flags)
{
	const struct ubdx_revoke arg = { .sector = at >> 9,
					 .nr_sectors = bytes >> 9,
					 .flags = flags };

	return ioctl(raw.chan, UBDX_IOC_REVOKE, &arg) ? -errno : 0;
}

/* ---- clients ---- */

int without_server(bool write, off_t at, size_t bytes)
{
	struct client c;

	memcpy(mem, pattern, bytes);
	if (!write)
		memset(mem, 0xa5, bytes);
	client_start(&c, write, mem, bytes, at);
	if (!within(5, atomic_load(&c.done)))
		bail("a request at %lld came to the server", (long long)at);
	return client_end(&c);
}

static bool has_request(void)
{
	io_uring_submit_and_get_events(&q.ring);
	return q.nr_backlog || io_uring_cq_ready(&q.ring);
}

int partly_with_server(bool write, off_t at, size_t bytes, off_t part_at, size_t part_bytes)
{
	struct client c;
	const struct ubdx_desc *d;
	int tag;

	memcpy(mem, pattern, bytes);
	client_start(&c, write, mem, bytes, at);
	if (!within(10, has_request()))
		bail("no request at %lld comes to the server", (long long)at);
	tag = raw_next(&q);
	if (tag < 0)
		bail("no request: %s", strerror(-tag));
	d = &q.desc[tag];
	if (d->sector != (uint64_t)part_at / 512 || d->nr_sectors != part_bytes / 512)
		bail("another request came: %u sectors at %llu", d->nr_sectors,
		     (unsigned long long)d->sector);
	return finish(&c, d, part_bytes);
}

int with_server(bool write, off_t at, size_t bytes)
{
	return partly_with_server(write, at, bytes, at, bytes);
}

int set_resolver(const char *name)
{
	char path[64];
	int fd, ret;

	snprintf(path, sizeof(path), "/sys/block/ubdxb%d/ubdx/resolver", raw.add.id);
	fd = open(path, O_WRONLY | O_CLOEXEC);
	if (fd < 0)
		bail("%s: %m", path);
	ret = write(fd, name, strlen(name)) < 0 ? -errno : 0;
	close(fd);
	return ret;
}

bool file_has(int fd, off_t at, const char *what, size_t bytes)
{
	return pread(fd, scratch, bytes, at) == (ssize_t)bytes && !memcmp(scratch, what, bytes);
}

void front_buffers(void)
{
	unsigned int i;

	mem = raw_mem(BYTES);
	scratch = raw_mem(BYTES);
	pattern = raw_mem(BYTES);
	for (i = 0; i < BYTES; i++)
		pattern[i] = (char)(i * 7 + (i >> 9) + 1);
}
