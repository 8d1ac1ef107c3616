// SPDX-License-Identifier: MIT OR LGPL-2.1
/*
 * memory.c - checks whether there is memory for one more device, in the machine and in each memory
 * cgroup (v2) that this process is in.
 *
 * The answer is an estimate, and can be outdated a moment later. So the check also demands a
 * reserve (UBDX_MEMORY_RESERVE): the OOM killer spares a device's server, so a device that takes
 * the last memory would make the kernel kill other programs.
 */
#include <errno.h>
#include <stdio.h>
#include <string.h>
#include <sys/param.h>
#include <syslog.h>

#include "lib.h"
#include "memory.h"

#define UBDX_CGROUPS "/sys/fs/cgroup"

/* Estimates of what a device, a queue and a tag take besides buffers, including kernel memory. */
#define UBDX_DEVICE_BYTES (512U << 10)
#define UBDX_QUEUE_BYTES (64U << 10)
#define UBDX_TAG_BYTES (1U << 10)

/*
 * Read the number that follows @key at the start of a line. With an empty @key, read the number at
 * the start of a line.
 */
static bool ubdx_read_number(const char *path, const char *key, uint64_t *value)
{
	FILE *file = fopen(path, "re");
	size_t len = strlen(key);
	bool found = false;
	char line[128];

	if (!file)
		return false;
	while (!found && fgets(line, sizeof(line), file))
		found = !strncmp(line, key, len) &&
			sscanf(line + len, "%llu", (unsigned long long *)value) == 1;
	fclose(file);
	return found;
}

/*
 * Lower @m to a cgroup's limit, and to what the cgroup can still allocate. The cgroup's page cache
 * counts as free, because it can be reclaimed.
 */
static void ubdx_cgroup_memory(const char *folder, struct ubdx_memory *m)
{
	uint64_t limit, current, active = 0, inactive = 0, used;
	char path[512];

	snprintf(path, sizeof(path), "%s/memory.max", folder);
	if (!ubdx_read_number(path, "", &limit)) /* "max", or no such file */
		return;
	snprintf(path, sizeof(path), "%s/memory.current", folder);
	if (!ubdx_read_number(path, "", &current))
		return;
	snprintf(path, sizeof(path), "%s/memory.stat", folder);
	ubdx_read_number(path, "active_file ", &active);
	ubdx_read_number(path, "inactive_file ", &inactive);
	used = current > active + inactive ? current - active - inactive : 0;
	if (limit < m->limit) {
		m->limit = limit;
		m->limit_owner = "memory cgroup";
	}
	if (MAX(limit, used) - used < m->available) {
		m->available = MAX(limit, used) - used;
		m->owner = "memory cgroup";
	}
}

static void ubdx_cgroups_memory(struct ubdx_memory *m)
{
	char line[384], folder[480], *slash;
	FILE *file = fopen("/proc/self/cgroup", "re");

	if (!file)
		return;
	while (fgets(line, sizeof(line), file)) {
		if (strncmp(line, "0::/", 4))
			continue;
		line[strcspn(line, "\n")] = '\0';
		snprintf(folder, sizeof(folder), UBDX_CGROUPS "%s", line + 3);
		while (strlen(folder) > strlen(UBDX_CGROUPS) && (slash = strrchr(folder, '/'))) {
			ubdx_cgroup_memory(folder, m);
			*slash = '\0';
		}
	}
	fclose(file);
}

void ubdx_memory_read(struct ubdx_memory *m)
{
	*m = (struct ubdx_memory){ .limit = UINT64_MAX,
				   .available = UINT64_MAX,
				   .owner = "machine",
				   .limit_owner = "machine" };
	if (ubdx_read_number("/proc/meminfo", "MemTotal:", &m->limit))
		m->limit <<= 10;
	if (ubdx_read_number("/proc/meminfo", "MemAvailable:", &m->available))
		m->available <<= 10;
	ubdx_cgroups_memory(m);
}

int ubdx_memory_check(const struct ubdx_params *params, size_t prefault,
		      const struct ubdx_logger *logger)
{
	uint64_t tags = (uint64_t)params->nr_queues * params->depth;
	uint64_t buffers = tags * params->max_io_bytes;
	uint64_t need = UBDX_DEVICE_BYTES + (uint64_t)params->nr_queues * UBDX_QUEUE_BYTES +
			tags * (UBDX_TAG_BYTES + prefault);
	struct ubdx_memory m;

	ubdx_memory_read(&m);
	/* The rest of the system needs the reserve, the device's users included. */
	if (m.available < need + m.limit / UBDX_MEMORY_RESERVE)
		return ubdx_fail(
			-ENOMEM,
			"memory is short: the device needs %llu MiB besides a reserve of 1/32 of "
			"all memory; the %s has %llu MiB left%s",
			(unsigned long long)(need + (1 << 20) - 1) >> 20, m.owner,
			(unsigned long long)m.available >> 20,
			prefault ? "; --prefault 0 needs less" : "");
	if (buffers > m.limit)
		ubdx_log(logger, LOG_WARNING,
			 "the buffers can grow to %llu MiB, more than the %s has (%llu MiB): under "
			 "load requests wait, or fail; --depth or --max-io makes them smaller",
			 (unsigned long long)buffers >> 20, m.limit_owner,
			 (unsigned long long)m.limit >> 20);
	return 0;
}
