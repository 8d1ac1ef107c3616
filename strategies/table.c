// SPDX-License-Identifier: MIT OR LGPL-2.1
/*
 * table.c - the strategies. A server offers the driver the modes in this table.
 */
#include "strategy.h"

const struct ubdx_strategy *const ubdx_strategies[UBDX_NR_XFER] = {
	[UBDX_XFER_COPY] = &ubdx_strategy_copy,	    [UBDX_XFER_USER] = &ubdx_strategy_user,
	[UBDX_XFER_MAP] = &ubdx_strategy_map,	    [UBDX_XFER_SPLICE] = &ubdx_strategy_splice,
	[UBDX_XFER_REGBUF] = &ubdx_strategy_regbuf,
};
