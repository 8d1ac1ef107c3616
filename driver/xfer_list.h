/* SPDX-License-Identifier: GPL-2.0 */
/*
 * xfer_list.h - the transfer modes, in the order of enum ubdx_xfer_mode. A mode has its ops,
 * ubdx_xfer_NAME, in xfer_NAME.c. Kbuild leaves that file out where the kernel lacks what the mode
 * needs.
 */
#ifndef UBDX_XFER_LIST_H
#define UBDX_XFER_LIST_H

/* clang-format off */
#define UBDX_XFER_LIST(X)	\
	X(COPY, copy)		\
	X(USER, user)		\
	X(MAP, map)		\
	X(SPLICE, splice)	\
	X(REGBUF, regbuf)	\
	X(FORWARD, forward)

/* clang-format on */

#define UBDX_NR_XFER (UBDX_XFER_FORWARD + 1)

#endif /* UBDX_XFER_LIST_H */
