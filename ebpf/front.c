// SPDX-License-Identifier: GPL-2.0
/*
 * front.c - the counters of devices with extents, from sysfs. A bio that uses an extent is no request
 * and has no stages, so the driver's events don't show it.
 */
#include <glob.h>
#include <stdio.h>
#include <string.h>

#include "stats.h"

/* The lines of /sys/block/NAME/ubdx/extents that count. */
const char *const front_names[NR_FRONT] = {
	"read_hits", "read_misses", "write_hits", "write_misses", "read_punted", "write_punted",
	"stale",     "invalid",	    "circles",	  "kept",	  "dropped",
};

static void read_file(const char *path, uint64_t *counts)
{
	FILE *file = fopen(path, "re");
	unsigned long long value;
	char name[32];
	unsigned int i;

	if (!file)
		return;
	while (fscanf(file, "%31s %llu\n", name, &value) == 2)
		for (i = 0; i < NR_FRONT; i++)
			if (!strcmp(name, front_names[i]))
				counts[i] += value;
	fclose(file);
}

/* Add up the counters of the traced devices. @dev: -1: all. Returns whether one of them has extents. */
bool front_read(int dev, uint64_t *counts)
{
	char pattern[64] = "/sys/block/ubdxb*/ubdx/extents";
	glob_t found;
	size_t i;

	memset(counts, 0, NR_FRONT * sizeof(*counts));
	if (dev >= 0)
		snprintf(pattern, sizeof(pattern), "/sys/block/ubdxb%d/ubdx/extents", dev);
	if (glob(pattern, 0, NULL, &found))
		return false;
	for (i = 0; i < found.gl_pathc; i++)
		read_file(found.gl_pathv[i], counts);
	globfree(&found);
	return true;
}
