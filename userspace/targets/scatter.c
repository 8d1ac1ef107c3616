// SPDX-License-Identifier: MIT OR LGPL-2.1
/*
 * scatter.c - target `scatter`: a filter that stands in front of another target and permutes that
 * target's chunks (scatter.h). The filter is for benchmarks and tests of mappings with many extents.
 *
 * The driver is given some of the chunks as extents; or none, but each answer may be kept
 * (UBDX_STEP_KEEP). The same chunks have extents each time.
 */
#include <errno.h>
#include <inttypes.h>
#include <stdlib.h>
#include <string.h>

#include "scatter.h"
#include "targets.h"

struct ubdx_scatter {
	struct ubdx_target *behind;
	uint64_t chunk_bytes;
	uint64_t nr_chunks;
	uint64_t factor;
	uint32_t percent; /* of the chunks have extents */
	bool keep; /* answers may be kept */
	bool read_only;
};

static uint64_t ubdx_scatter_place(const struct ubdx_scatter *scatter, uint64_t chunk)
{
	return chunk * scatter->factor % scatter->nr_chunks;
}

/* ---- requests ---- */

static int ubdx_scatter_resolve(struct ubdx_target *target, const struct ubdx_desc *desc,
				uint64_t done, struct ubdx_step *step)
{
	const struct ubdx_scatter *scatter = target->priv;
	struct ubdx_target *behind = scatter->behind;
	uint64_t pos, inside, rest;
	struct ubdx_desc inner = *desc;
	int ret;

	if (!desc->nr_sectors)
		return behind->ops->resolve(behind, desc, done, step);
	/* As if a request had begun with the chunk, and the bytes before @pos were done. */
	pos = (desc->sector << UBDX_SECTOR_SHIFT) + done;
	inside = pos % scatter->chunk_bytes;
	rest = ((uint64_t)desc->nr_sectors << UBDX_SECTOR_SHIFT) - done;
	if (rest > scatter->chunk_bytes - inside)
		rest = scatter->chunk_bytes - inside;
	inner.sector =
		ubdx_scatter_place(scatter, pos / scatter->chunk_bytes) * scatter->chunk_bytes >>
		UBDX_SECTOR_SHIFT;
	inner.nr_sectors = (inside + rest) >> UBDX_SECTOR_SHIFT;
	ret = behind->ops->resolve(behind, &inner, inside, step);
	if (!ret && scatter->keep && step->kind == UBDX_STEP_FILE)
		step->flags |= UBDX_STEP_KEEP | UBDX_STEP_KEEP_WRITES;
	return ret;
}

/* ---- extents ---- */

static bool ubdx_scatter_has_extent(const struct ubdx_scatter *scatter, uint64_t chunk)
{
	/* Fibonacci hashing: the golden ratio times 2^64 (Knuth, The Art of Computer Programming, 6.4) */
	return (chunk * 0x9e3779b97f4a7c15ULL >> 32) % 100 < scatter->percent;
}

static int ubdx_scatter_extents(struct ubdx_target *target)
{
	const struct ubdx_scatter *scatter = target->priv;
	const uint64_t nr_sectors = scatter->chunk_bytes >> UBDX_SECTOR_SHIFT;
	struct ubdx_map_extent *extents;
	unsigned int nr = 0;
	uint64_t chunk;
	int ret = 0;

	extents = calloc(scatter->nr_chunks, sizeof(*extents));
	if (!extents)
		return -ENOMEM;
	for (chunk = 0; chunk < scatter->nr_chunks; chunk++)
		if (ubdx_scatter_has_extent(scatter, chunk))
			extents[nr++] = (struct ubdx_map_extent){
				.sector = chunk * nr_sectors,
				.nr_sectors = nr_sectors,
				.offset = ubdx_scatter_place(scatter, chunk) * scatter->chunk_bytes,
				.flags = UBDX_EXTENT_READ |
					 (scatter->read_only ? 0 : UBDX_EXTENT_WRITE),
			};
	if (nr)
		ret = ubdx_extents_set(target, extents, nr);
	free(extents);
	return ret;
}

/* ---- open and close ---- */

/* Parse "scatter,CHUNK_KIB[,PERCENT|keep]:BEHIND". Returns BEHIND, or NULL. */
static const char *ubdx_scatter_parse(const char *name, struct ubdx_scatter *scatter)
{
	const char *part = strchr(name, ',');
	char *end;

	if (!part)
		return NULL;
	scatter->chunk_bytes = strtoull(part + 1, &end, 10) << 10;
	if (end == part + 1 || scatter->chunk_bytes < 4096 || scatter->chunk_bytes > 1U << 30 ||
	    scatter->chunk_bytes & (scatter->chunk_bytes - 1))
		return NULL;
	if (!strncmp(end, ",keep:", 6)) {
		scatter->keep = true;
		return end + 6;
	}
	if (*end == ',') {
		part = end;
		scatter->percent = strtoul(part + 1, &end, 10);
		if (end == part + 1 || scatter->percent > 100)
			return NULL;
	}
	return *end == ':' ? end + 1 : NULL;
}

/* The device has whole chunks; the rest of the target behind isn't used. */
static int ubdx_scatter_size(struct ubdx_scatter *scatter, struct ubdx_params *params)
{
	scatter->nr_chunks = (params->dev_sectors << UBDX_SECTOR_SHIFT) / scatter->chunk_bytes;
	if (!scatter->nr_chunks || scatter->nr_chunks > UBDX_MAX_MAP_EXTENTS)
		return ubdx_fail(-EINVAL,
				 "target scatter: 1 to %u chunks, not %" PRIu64
				 "; give another size of chunk",
				 UBDX_MAX_MAP_EXTENTS, scatter->nr_chunks);
	scatter->factor = ubdx_scatter_factor(scatter->nr_chunks);
	params->dev_sectors = scatter->nr_chunks * scatter->chunk_bytes >> UBDX_SECTOR_SHIFT;
	return 0;
}

static int ubdx_scatter_open(struct ubdx_target *target, const struct ubdx_target_config *config,
			     struct ubdx_params *params)
{
	struct ubdx_scatter *scatter = calloc(1, sizeof(*scatter));
	const char *name;
	int ret;

	if (!scatter)
		return ubdx_fail(-ENOMEM, "target scatter: %m");
	name = ubdx_scatter_parse(config->name ? config->name : "", scatter);
	ret = name ? ubdx_filter_open(target, name, config, params, &scatter->behind) :
		     ubdx_fail(-EINVAL,
			       "target scatter is scatter,CHUNK[,PERCENT|keep]:TARGET; CHUNK is a "
			       "power of two from 4 to 1048576, in KiB");
	if (ret)
		goto free;
	/* A target without files answers for the whole request at once. */
	ret = target->nr_files ?
		      ubdx_scatter_size(scatter, params) :
		      ubdx_fail(-EINVAL, "target scatter needs a target with a file, such as loop");
	if (ret)
		goto close;
	/* The data are not where another target, or one with other chunks, would look for them. */
	scatter->read_only = params->attrs & UBDX_ATTR_READ_ONLY;
	target->kind = target->ops->name;
	target->token[1] ^= scatter->chunk_bytes << 32;
	target->priv = scatter;
	return 0;

close:
	ubdx_target_close(scatter->behind);
free:
	free(scatter);
	return ret;
}

static void ubdx_scatter_close(struct ubdx_target *target)
{
	struct ubdx_scatter *scatter = target->priv;

	ubdx_target_close(scatter->behind);
	free(scatter);
}

const struct ubdx_target_ops ubdx_target_scatter = {
	.name = "scatter",
	.summary = "a filter: permutes the chunks of a target",
	.open = ubdx_scatter_open,
	.close = ubdx_scatter_close,
	.extents = ubdx_scatter_extents,
	.resolve = ubdx_scatter_resolve,
};
