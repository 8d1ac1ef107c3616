// SPDX-License-Identifier: MIT OR LGPL-2.1
/*
 * table.c - the strategies. A server can offer the driver the modes in this table.
 */
#include "strategy.h"

#define UBDX_STRATEGY(MODE, name) [UBDX_XFER_##MODE] = &ubdx_strategy_##name,

const struct ubdx_strategy *const ubdx_strategies[UBDX_NR_XFER] = {
	UBDX_STRATEGY_LIST(UBDX_STRATEGY) /**/
};
