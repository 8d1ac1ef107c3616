// SPDX-License-Identifier: MIT OR LGPL-2.1
/*
 * table.c - the targets that come with the library, and how any target is opened and closed.
 */
#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "targets.h"

static const struct ubdx_target_ops *const ubdx_targets[] = {
	&ubdx_target_null,
	&ubdx_target_mem,
	&ubdx_target_loop,
};

static const struct ubdx_target_ops *const ubdx_filters[] = {
	&ubdx_target_touch,
	&ubdx_target_scatter,
};

const struct ubdx_target_ops *ubdx_target_get(unsigned int index)
{
	return index < ARRAY_SIZE(ubdx_targets) ? ubdx_targets[index] : NULL;
}

/* A filter's name is followed by its options and the target behind it, or by nothing. */
static bool ubdx_is_filter(const struct ubdx_target_ops *filter, const char *name)
{
	size_t length = strlen(filter->name);

	return !strncmp(name, filter->name, length) && strchr(",:", name[length]);
}

const struct ubdx_target_ops *ubdx_target_find(const char *name)
{
	unsigned int i;

	for (i = 0; i < ARRAY_SIZE(ubdx_targets); i++)
		if (!strcmp(ubdx_targets[i]->name, name))
			return ubdx_targets[i];
	for (i = 0; i < ARRAY_SIZE(ubdx_filters); i++)
		if (ubdx_is_filter(ubdx_filters[i], name))
			return ubdx_filters[i];
	return NULL;
}

int ubdx_target_open(const struct ubdx_target_ops *ops, const struct ubdx_target_config *config,
		     struct ubdx_params *params, struct ubdx_target **target)
{
	struct ubdx_target_config full;
	struct ubdx_target *t;
	int ret;

	ubdx_target_config_init(&full);
	if (!ubdx_copy_known(&full, sizeof(full), config, config->size))
		return ubdx_fail(-E2BIG,
				 "the program sets an option of target %s that this "
				 "version of the library doesn't know",
				 ops->name);

	t = calloc(1, sizeof(*t));
	if (!t)
		return ubdx_fail(-ENOMEM, "opening target %s: %m", ops->name);
	t->ops = ops;
	t->kind = ops->name;
	t->channel = -1;
	ret = ops->open(t, &full, params);
	if (ret) {
		free(t);
		return ret;
	}
	*target = t;
	return 0;
}

void ubdx_target_close(struct ubdx_target *target)
{
	if (!target)
		return;
	target->ops->close(target);
	free(target);
}

/* ---- for the targets ---- */

/*
 * Open the target behind a filter. To the driver and the queues, the filter then looks like that
 * target. Returns 0 or the result of ubdx_fail().
 */
int ubdx_filter_open(struct ubdx_target *target, const char *name,
		     const struct ubdx_target_config *config, struct ubdx_params *params,
		     struct ubdx_target **behind)
{
	const struct ubdx_target_ops *ops = ubdx_target_find(name);
	struct ubdx_target_config inner = *config;
	unsigned int i;
	int ret;

	if (!ops)
		return ubdx_fail(-EINVAL, "target %s: there is no target %s", target->ops->name,
				 name);
	for (i = 0; i < ARRAY_SIZE(ubdx_filters); i++)
		if (ops == ubdx_filters[i])
			return ubdx_fail(-EINVAL,
					 "target %s can't stand in front of another filter",
					 target->ops->name);
	inner.name = name;
	ret = ubdx_target_open(ops, &inner, params, behind);
	if (ret)
		return ret;
	target->kind = (*behind)->kind;
	target->nr_files = (*behind)->nr_files;
	memcpy(target->files, (*behind)->files, sizeof(target->files));
	memcpy(target->token, (*behind)->token, sizeof(target->token));
	memcpy(target->where, (*behind)->where, sizeof(target->where));
	return 0;
}

/* The capacity must be whole blocks, and at least one. */
int ubdx_target_capacity(const char *what, uint64_t bytes, struct ubdx_params *params)
{
	uint32_t block = params->logical_block_size ? params->logical_block_size : UBDX_SECTOR_SIZE;

	if (bytes < block)
		return ubdx_fail(-EINVAL, "%s: %llu bytes are less than one block of %u", what,
				 (unsigned long long)bytes, block);
	if (bytes % block)
		return ubdx_fail(-EINVAL,
				 "%s: %llu bytes are not a multiple of the block size, %u; "
				 "give a size that is",
				 what, (unsigned long long)bytes, block);
	params->dev_sectors = bytes >> UBDX_SECTOR_SHIFT;
	return 0;
}

/*
 * Set the attributes that every target has. @write_cache: the target's default. FUA needs a cache.
 */
void ubdx_target_attrs(const struct ubdx_target_config *config, bool write_cache,
		       struct ubdx_params *params)
{
	bool fua;

	if (config->write_cache >= 0)
		write_cache = config->write_cache;
	fua = write_cache && config->fua != 0;
	if (config->flags & UBDX_TARGET_READ_ONLY)
		params->attrs |= UBDX_ATTR_READ_ONLY;
	if (write_cache)
		params->attrs |= UBDX_ATTR_WRITE_CACHE;
	if (fua)
		params->attrs |= UBDX_ATTR_FUA;
}
