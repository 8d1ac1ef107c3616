// SPDX-License-Identifier: MIT OR LGPL-2.1
/*
 * extents.c - a target leaves extents of its device with the driver, and takes them back.
 */
#include <errno.h>
#include <sys/ioctl.h>

#include "lib.h"

int ubdx_extents_set(struct ubdx_target *target, const struct ubdx_map_extent *extents,
		     unsigned int nr)
{
	const struct ubdx_map_args arg = { .addr = (uintptr_t)extents, .nr = nr };

	if (target->channel < 0)
		return -EOPNOTSUPP;
	return ioctl(target->channel, UBDX_IOC_MAP, &arg) ? -errno : 0;
}

int ubdx_extents_revoke(struct ubdx_target *target, uint64_t sector, uint64_t nr_sectors, int drain)
{
	const struct ubdx_revoke arg = { .sector = sector,
					 .nr_sectors = nr_sectors,
					 .flags = drain ? UBDX_REVOKE_DRAIN : 0 };

	if (target->channel < 0)
		return -EOPNOTSUPP;
	return ioctl(target->channel, UBDX_IOC_REVOKE, &arg) ? -errno : 0;
}
