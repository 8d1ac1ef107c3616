// SPDX-License-Identifier: MIT OR LGPL-2.1
/*
 * describe.c - a device in words: what the driver says of it, and the counters in its sysfs folder.
 */
#include <dirent.h>
#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>

#include "cli.h"

/* "copy,user" as text, a list as JSON. */
void describe_modes(struct output *o, const char *key, uint64_t modes)
{
	char text[256] = "";
	unsigned int mode;

	if (o->json)
		output_list(o, key);
	for (mode = 0; mode < 64; mode++) {
		const char *name = ubdx_xfer_name(mode);
		char number[16];

		if (!(modes >> mode & 1))
			continue;
		if (!name) {
			snprintf(number, sizeof(number), "mode-%u", mode);
			name = number;
		}
		if (o->json) {
			output_string(o, NULL, name);
		} else {
			size_t used = strlen(text);

			snprintf(text + used, sizeof(text) - used, "%s%s", used ? "," : "", name);
		}
	}
	if (o->json)
		output_list_end(o);
	else
		output_string(o, key, text);
}

static void describe_mode(struct output *o, const char *key, unsigned int mode)
{
	const char *name = ubdx_xfer_name(mode);

	output_string(o, key, name ? name : "?");
}

void describe_brief(struct output *o, const struct ubdx_info *info)
{
	char path[32];

	snprintf(path, sizeof(path), "/dev/ubdxb%d", info->id);
	output_number(o, "id", info->id);
	output_string(o, "device", path);
	output_string(o, "state", ubdx_state_name(info->state));
	output_number(o, "size", info->params.dev_sectors << UBDX_SECTOR_SHIFT);
	output_number(o, "queues", info->params.nr_queues);
	output_number(o, "depth", info->params.depth);
	describe_mode(o, "xfer", info->xfer);
	output_number(o, "server_pid", info->server_pid);
}

static void describe_params(struct output *o, const struct ubdx_params *p)
{
	output_begin(o, "params");
	output_number(o, "max_io_bytes", p->max_io_bytes);
	output_number(o, "timeout_ms", p->timeout_ms);
	output_number(o, "logical_block_size", p->logical_block_size);
	output_number(o, "physical_block_size", p->physical_block_size);
	output_number(o, "io_min", p->io_min);
	output_number(o, "io_opt", p->io_opt);
	output_number(o, "discard_granularity", p->discard_granularity);
	output_number(o, "max_discard_sectors", p->max_discard_sectors);
	output_number(o, "max_write_zeroes_sectors", p->max_write_zeroes_sectors);
	output_number(o, "dma_alignment", p->dma_alignment);
	output_bool(o, "read_only", p->attrs & UBDX_ATTR_READ_ONLY);
	output_bool(o, "write_cache", p->attrs & UBDX_ATTR_WRITE_CACHE);
	output_bool(o, "fua", p->attrs & UBDX_ATTR_FUA);
	output_bool(o, "rotational", p->attrs & UBDX_ATTR_ROTATIONAL);
	output_number(o, "numa_node", p->numa_node);
	output_end(o);
}

static void describe_file(struct output *o, const char *folder, const char *name)
{
	char path[512], text[256];
	int64_t number;
	FILE *file;
	char *end;
	size_t n;

	snprintf(path, sizeof(path), "%s/%s", folder, name);
	file = fopen(path, "re");
	if (!file)
		return;
	n = fread(text, 1, sizeof(text) - 1, file);
	fclose(file);
	text[n] = '\0';
	while (n && text[n - 1] == '\n')
		text[--n] = '\0';

	errno = 0;
	number = strtoll(text, &end, 10);
	if (n && !*end && !errno)
		output_number(o, name, number);
	else
		output_string(o, name, text);
}

static int is_shown(const struct dirent *entry)
{
	return entry->d_name[0] != '.';
}

/* Whatever the driver shows, so that what it learns to count is shown without a change here. */
static void describe_folder(struct output *o, const char *key, const char *folder)
{
	struct dirent **entries;
	int i, nr = scandir(folder, &entries, is_shown, alphasort);

	if (nr < 0)
		return;
	output_begin(o, key);
	for (i = 0; i < nr; i++) {
		char path[512];
		struct stat st;

		snprintf(path, sizeof(path), "%s/%s", folder, entries[i]->d_name);
		if (!lstat(path, &st) && S_ISREG(st.st_mode))
			describe_file(o, folder, entries[i]->d_name);
		free(entries[i]);
	}
	free(entries);
	output_end(o);
}

void describe_device(struct output *o, const struct ubdx_info *info)
{
	char path[64];

	describe_brief(o, info);
	describe_mode(o, "xfer_wanted", info->xfer_wanted);
	output_bool(o, "xfer_pinned", info->xfer_pinned);
	describe_modes(o, "xfer_modes", info->xfer_modes);
	describe_params(o, &info->params);
	snprintf(path, sizeof(path), "/sys/block/ubdxb%d/ubdx", info->id);
	describe_folder(o, "sysfs", path);
}
