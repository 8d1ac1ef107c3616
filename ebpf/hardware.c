// SPDX-License-Identifier: GPL-2.0
/*
 * hardware.c - the CPU's own counters for the threads of the servers, through perf_event_open(2). A
 * virtual machine often has none; then they are shown as not being there.
 */
#include <errno.h>
#include <dirent.h>
#include <linux/perf_event.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/syscall.h>
#include <unistd.h>

#include "trace.h"

#define LLC_MISS                                                     \
	(PERF_COUNT_HW_CACHE_LL | PERF_COUNT_HW_CACHE_OP_READ << 8 | \
	 PERF_COUNT_HW_CACHE_RESULT_MISS << 16)
#define DTLB_MISS                                                      \
	(PERF_COUNT_HW_CACHE_DTLB | PERF_COUNT_HW_CACHE_OP_READ << 8 | \
	 PERF_COUNT_HW_CACHE_RESULT_MISS << 16)

static const struct {
	const char *name;
	uint32_t type;
	uint64_t config;
	bool user, kernel;
} kinds[] = {
	{ "cycles_server", PERF_TYPE_HARDWARE, PERF_COUNT_HW_CPU_CYCLES, true, true },
	{ "instructions_server_user", PERF_TYPE_HARDWARE, PERF_COUNT_HW_INSTRUCTIONS, true, false },
	{ "instructions_server_kernel", PERF_TYPE_HARDWARE, PERF_COUNT_HW_INSTRUCTIONS, false,
	  true },
	{ "llc_misses_server", PERF_TYPE_HW_CACHE, LLC_MISS, true, true },
	{ "dtlb_misses_server", PERF_TYPE_HW_CACHE, DTLB_MISS, true, true },
};

_Static_assert(ARRAY_SIZE(kinds) <= MAX_HARDWARE, "room for them in a snapshot");

struct hardware_counters {
	size_t nr;
	size_t room;
	struct {
		int fd;
		unsigned int kind;
	} *counters;
};

static int open_counter(unsigned int kind, pid_t thread)
{
	struct perf_event_attr attr = {
		.size = sizeof(attr),
		.type = kinds[kind].type,
		.config = kinds[kind].config,
		.exclude_user = !kinds[kind].user,
		.exclude_kernel = !kinds[kind].kernel,
		.exclude_hv = 1,
		.read_format = PERF_FORMAT_TOTAL_TIME_ENABLED | PERF_FORMAT_TOTAL_TIME_RUNNING,
	};

	return syscall(SYS_perf_event_open, &attr, thread, -1, -1, PERF_FLAG_FD_CLOEXEC);
}

static void add_thread(struct hardware_counters *h, pid_t thread)
{
	unsigned int kind;

	for (kind = 0; kind < ARRAY_SIZE(kinds); kind++) {
		int fd = open_counter(kind, thread);

		if (fd < 0)
			continue;
		if (h->nr == h->room) {
			size_t room = h->room ? 2 * h->room : 64;
			void *p = realloc(h->counters, room * sizeof(*h->counters));

			if (!p) {
				close(fd);
				return;
			}
			h->counters = p;
			h->room = room;
		}
		h->counters[h->nr].fd = fd;
		h->counters[h->nr++].kind = kind;
	}
}

struct hardware_counters *hardware_open(const pid_t *servers, size_t nr_servers)
{
	struct hardware_counters *h = calloc(1, sizeof(*h));
	size_t i;

	for (i = 0; h && i < nr_servers; i++) {
		struct dirent *entry;
		char path[64];
		DIR *dir;

		snprintf(path, sizeof(path), "/proc/%d/task", servers[i]);
		dir = opendir(path);
		while (dir && (entry = readdir(dir)))
			if (atoi(entry->d_name) > 0)
				add_thread(h, atoi(entry->d_name));
		if (dir)
			closedir(dir);
	}
	return h;
}

/* Sums over the threads; where counters had to share the hardware, what they would have been. */
unsigned int hardware_read(struct hardware_counters *h, struct hardware *values)
{
	unsigned int kind;
	size_t i;

	for (kind = 0; kind < ARRAY_SIZE(kinds); kind++)
		values[kind] = (struct hardware){ .name = kinds[kind].name };
	for (i = 0; i < h->nr; i++) {
		struct {
			uint64_t value, enabled, running;
		} got;

		if (read(h->counters[i].fd, &got, sizeof(got)) != sizeof(got))
			continue;
		kind = h->counters[i].kind;
		values[kind].available = true;
		if (got.running)
			values[kind].value += (double)got.value * got.enabled / got.running;
	}
	return ARRAY_SIZE(kinds);
}

void hardware_close(struct hardware_counters *h)
{
	size_t i;

	if (!h)
		return;
	for (i = 0; i < h->nr; i++)
		close(h->counters[i].fd);
	free(h->counters);
	free(h);
}
