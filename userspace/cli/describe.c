// SPDX-License-Identifier: MIT OR LGPL-2.1
/*
 * describe.c - print a device: its parameters from the driver, and its counters from sysfs.
 */
#include <string.h>

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

/* A newer driver may report a value that has no name here. */
static void describe_name(struct output *o, const char *key, const char *name)
{
	output_string(o, key, name ? name : "?");
}

static void describe_mode(struct output *o, const char *key, unsigned int mode)
{
	describe_name(o, key, ubdx_xfer_name(mode));
}

void describe_brief(struct output *o, const struct ubdx_info *info,
		    const struct ubdx_target_info *target_info)
{
	char path[32];

	snprintf(path, sizeof(path), "/dev/ubdxb%d", info->id);
	output_number(o, "id", info->id);
	output_string(o, "device", path);
	output_string(o, "state", ubdx_state_name(info->state));
	output_bool(o, "stopping", info->status & UBDX_INFO_STOPPING);
	output_quantity(o, "size", info->params.dev_sectors << UBDX_SECTOR_SHIFT, "bytes");
	output_number(o, "queues", info->params.nr_queues);
	output_number(o, "depth", info->params.depth);
	describe_mode(o, "xfer", info->xfer);
	output_number(o, "server_pid", info->server_pid);
	output_string(o, "target", target_info->target);
	if (o->json || target_info->text[0])
		output_string(o, "target_path", target_info->text);
	if (o->json || target_info->serial[0])
		output_string(o, "serial", target_info->serial);
}

static void describe_params(struct output *o, const struct ubdx_params *p)
{
	output_begin(o, "params");
	output_quantity(o, "max_io_bytes", p->max_io_bytes, "bytes");
	output_quantity(o, "timeout_ms", p->timeout_ms, "ms");
	output_quantity(o, "logical_block_size", p->logical_block_size, "bytes");
	output_quantity(o, "physical_block_size", p->physical_block_size, "bytes");
	output_quantity(o, "io_min", p->io_min, "bytes");
	output_quantity(o, "io_opt", p->io_opt, "bytes");
	output_quantity(o, "discard_granularity", p->discard_granularity, "bytes");
	output_quantity(o, "max_discard_sectors", p->max_discard_sectors, "sectors");
	output_quantity(o, "max_write_zeroes_sectors", p->max_write_zeroes_sectors, "sectors");
	output_number(o, "max_segments", p->max_segments);
	output_limit(o, "max_segment_size", p->max_segment_size, "bytes");
	output_number(o, "dma_alignment", p->dma_alignment);
	output_bool(o, "read_only", p->attrs & UBDX_ATTR_READ_ONLY);
	output_bool(o, "write_cache", p->attrs & UBDX_ATTR_WRITE_CACHE);
	output_bool(o, "fua", p->attrs & UBDX_ATTR_FUA);
	output_bool(o, "rotational", p->attrs & UBDX_ATTR_ROTATIONAL);
	output_number(o, "numa_node", p->numa_node);
	describe_name(o, "recovery", ubdx_recovery_name(p->recovery));
	output_end(o);
}

/* ---- sysfs ---- */

/*
 * Each of these functions prints a line of a sysfs file, and returns whether it has printed it. As
 * text, a counter that is 0 is left out.
 */

/* counters: MODE OP REQUESTS BYTES */
static bool counters_line(struct output *o, const char *line)
{
	unsigned long long requests, bytes;
	char mode[32], op[32], text[128];

	if (sscanf(line, "%31s %31s %llu %llu", mode, op, &requests, &bytes) != 4)
		return false;
	if (!o->json) {
		snprintf(text, sizeof(text), "%-8s %-12s %llu requests, %llu bytes", mode, op,
			 requests, bytes);
		if (requests)
			output_line(o, text);
		return requests;
	}
	output_begin(o, NULL);
	output_string(o, "xfer", mode);
	output_string(o, "op", op);
	output_number(o, "requests", requests);
	output_number(o, "bytes", bytes);
	output_end(o);
	return true;
}

/* NAME NUMBER; @unit is for text. */
static bool pair_line(struct output *o, const char *line, const char *name_key,
		      const char *number_key, const char *unit)
{
	unsigned long long number;
	char name[32], text[128];

	if (sscanf(line, "%31s %llu", name, &number) != 2)
		return false;
	if (!o->json) {
		snprintf(text, sizeof(text), "%-21s %llu%s", name, number, unit);
		if (number)
			output_line(o, text);
		return number;
	}
	output_begin(o, NULL);
	output_string(o, name_key, name);
	output_number(o, number_key, number);
	output_end(o);
	return true;
}

static bool errors_line(struct output *o, const char *line)
{
	return pair_line(o, line, "kind", "requests", " requests");
}

static bool fallbacks_line(struct output *o, const char *line)
{
	return pair_line(o, line, "reason", "requests", " requests");
}

static bool moved_line(struct output *o, const char *line)
{
	return pair_line(o, line, "what", "number", "");
}

/* queues: queue N node N task PID */
static bool queues_line(struct output *o, const char *line)
{
	int queue, node, task;

	if (!o->json) {
		output_line(o, line);
		return true;
	}
	if (sscanf(line, "queue %d node %d task %d", &queue, &node, &task) != 3)
		return false;
	output_begin(o, NULL);
	output_number(o, "queue", queue);
	output_number(o, "node", node);
	output_number(o, "task", task);
	output_end(o);
	return true;
}

/* files: INDEX KIND NUMBERS DIRECTIONS WAY, see ubdx_backing_describe() of the driver */
static bool files_line(struct output *o, const char *line)
{
	char kind[16], numbers[40], directions[4], way[8];
	int index;

	if (!o->json) {
		output_line(o, line);
		return true;
	}
	if (sscanf(line, "%d %15s %39s %3s %7s", &index, kind, numbers, directions, way) != 5)
		return false;
	output_begin(o, NULL);
	output_number(o, "index", index);
	output_string(o, "kind", kind);
	output_string(o, "numbers", numbers);
	output_string(o, "directions", directions);
	output_string(o, "way", way);
	output_end(o);
	return true;
}

/* A file in the device's sysfs folder, which exists while the device is live or quiesced. */
static void describe_file(struct output *o, int id, const char *key, const char *name,
			  bool (*describe_line)(struct output *o, const char *line))
{
	char path[64], line[128];
	bool any = false;
	FILE *file;

	snprintf(path, sizeof(path), "/sys/block/ubdxb%d/ubdx/%s", id, name);
	file = fopen(path, "re");
	if (!file)
		return;
	output_list(o, key);
	while (fgets(line, sizeof(line), file)) {
		line[strcspn(line, "\n")] = '\0';
		any |= describe_line(o, line);
	}
	if (!any && !o->json)
		output_line(o, "none");
	output_list_end(o);
	fclose(file);
}

/*
 * With --extents: the device's resolver. The sysfs file lists "none" and all loaded resolvers, with
 * the device's in brackets.
 */
static void describe_resolver(struct output *o, int id)
{
	char path[64], line[4096], *end, *name = NULL;
	FILE *file;

	snprintf(path, sizeof(path), "/sys/block/ubdxb%d/ubdx/resolver", id);
	file = fopen(path, "re");
	if (!file)
		return;
	if (fgets(line, sizeof(line), file))
		name = strchr(line, '[');
	end = name ? strchr(name, ']') : NULL;
	if (end) {
		*end = '\0';
		output_string(o, "resolver", name + 1);
	}
	fclose(file);
}

void describe_device(struct output *o, const struct ubdx_info *info,
		     const struct ubdx_target_info *target_info)
{
	describe_brief(o, info, target_info);
	describe_mode(o, "xfer_wanted", info->xfer_wanted);
	output_bool(o, "xfer_pinned", info->xfer_pinned);
	describe_modes(o, "xfer_modes", info->xfer_modes);
	describe_params(o, &info->params);
	describe_file(o, info->id, "queue_tasks", "queues", queues_line);
	describe_file(o, info->id, "counters", "counters", counters_line);
	describe_file(o, info->id, "errors", "errors", errors_line);
	describe_file(o, info->id, "fallbacks", "fallbacks", fallbacks_line);
	describe_file(o, info->id, "moved", "moved", moved_line);
	describe_file(o, info->id, "files", "files", files_line);
	describe_file(o, info->id, "extents", "extents", moved_line);
	describe_resolver(o, info->id);
}
