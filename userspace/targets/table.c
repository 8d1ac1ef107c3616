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
	return ubdx_is_filter(&ubdx_target_touch, name) ? &ubdx_target_touch : NULL;
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
