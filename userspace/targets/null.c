// SPDX-License-Identifier: MIT OR LGPL-2.1
/*
 * null.c - target `null`: acknowledges everything and stores nothing. A READ returns undefined
 * data, as from null_blk. No other target costs less.
 */
#include <errno.h>

#include "targets.h"

static int ubdx_null_open(struct ubdx_target *target, const struct ubdx_target_config *config,
			  struct ubdx_params *params)
{
	if (config->path)
		return ubdx_fail(-EINVAL, "target null stores nothing, so it takes no file");
	if (!config->bytes)
		return ubdx_fail(-EINVAL, "target null needs a size");
	if (!(config->flags & (UBDX_TARGET_NO_DISCARD | UBDX_TARGET_READ_ONLY))) {
		params->max_discard_sectors = UBDX_MAX_DISCARD_BYTES >> UBDX_SECTOR_SHIFT;
		params->max_write_zeroes_sectors = UBDX_MAX_ZEROES_BYTES >> UBDX_SECTOR_SHIFT;
	}
	ubdx_target_attrs(config, false, params);
	return ubdx_target_capacity("target null", config->bytes, params);
}

static void ubdx_null_close(struct ubdx_target *target)
{
}

static int ubdx_null_resolve(struct ubdx_target *target, const struct ubdx_desc *desc,
			     uint64_t done, struct ubdx_step *step)
{
	step->kind = UBDX_STEP_DONE;
	step->flags = UBDX_STEP_NO_DATA;
	return 0;
}

const struct ubdx_target_ops ubdx_target_null = {
	.name = "null",
	.summary = "stores nothing; needs --size",
	.open = ubdx_null_open,
	.close = ubdx_null_close,
	.resolve = ubdx_null_resolve,
};
