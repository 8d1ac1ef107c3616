/* SPDX-License-Identifier: MIT OR LGPL-2.1 */
/*
 * targets.h - what the library's targets share.
 */
#ifndef UBDX_TARGETS_H
#define UBDX_TARGETS_H

#include <stdbool.h>

#include "lib.h"

extern const struct ubdx_target_ops ubdx_target_null;
extern const struct ubdx_target_ops ubdx_target_mem;
extern const struct ubdx_target_ops ubdx_target_loop;
extern const struct ubdx_target_ops ubdx_target_touch;
extern const struct ubdx_target_ops ubdx_target_scatter;

int ubdx_target_capacity(const char *what, uint64_t bytes, struct ubdx_params *params);
int ubdx_filter_open(struct ubdx_target *target, const char *name,
		     const struct ubdx_target_config *config, struct ubdx_params *params,
		     struct ubdx_target **behind);
void ubdx_target_attrs(const struct ubdx_target_config *config, bool write_cache,
		       struct ubdx_params *params);

/* Maximum lengths, so that DISCARD and WRITE_ZEROES normally end long before the I/O timeout. */
#define UBDX_MAX_DISCARD_BYTES (256U << 20)
#define UBDX_MAX_ZEROES_BYTES (32U << 20)

#endif /* UBDX_TARGETS_H */
