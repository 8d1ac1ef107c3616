// SPDX-License-Identifier: GPL-2.0
/*
 * xfer_forward.c - transfer mode `forward`: the server answers with extents of files, and the
 * driver moves the payload between these extents and the request's own pages (forward.c). Delivery
 * does nothing. The server can also read and write the payload and answer as in mode `user`.
 */
#include "xfer.h"

const struct ubdx_xfer_ops ubdx_xfer_forward = {
	.name = "forward",
	.mode = UBDX_XFER_FORWARD,
	.trusts = true,
	.falls_back = true,
	.access = UBDX_ACCESS_BYTES,
	.refuse = ubdx_xfer_refuse_odd,
};
