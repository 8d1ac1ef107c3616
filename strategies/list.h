/* SPDX-License-Identifier: MIT OR LGPL-2.1 */
/*
 * list.h - the strategies, in the order of enum ubdx_xfer_mode. Each is ubdx_strategy_NAME, in
 * NAME.c.
 */
#ifndef UBDX_STRATEGY_LIST_H
#define UBDX_STRATEGY_LIST_H

/* clang-format off */
#define UBDX_STRATEGY_LIST(X)	\
	X(COPY, copy)		\
	X(USER, user)		\
	X(MAP, map)		\
	X(SPLICE, splice)	\
	X(REGBUF, regbuf)	\
	X(FORWARD, forward)

/* clang-format on */

#define UBDX_NR_XFER (UBDX_XFER_FORWARD + 1)

#endif /* UBDX_STRATEGY_LIST_H */
