// SPDX-License-Identifier: GPL-2.0
/*
 * xfer_user.c - transfer mode `user`: the server reads and writes the payload through the channel,
 * when and as far as it wants to (access.c). A payload that the server doesn't access costs
 * nothing. This mode can carry every request, so other modes fall back to it.
 */
#include "xfer.h"

const struct ubdx_xfer_ops ubdx_xfer_user = {
	.name = "user",
	.mode = UBDX_XFER_USER,
	.trusts = true,
	.access = UBDX_ACCESS_BYTES,
};
