/* SPDX-License-Identifier: GPL-2.0 */
/*
 * chan.h - a channel: how descriptors reach the server and answers come back.
 *
 * A channel moves no payload and knows no mode. Adding one is a file with an ops table.
 */
#ifndef UBDX_CHAN_H
#define UBDX_CHAN_H

#include "dev.h"

/**
 * struct ubdx_chan_ops - one channel.
 * @publish:	hand the request in @slot (descriptor written, QUEUED) to the server. Atomic
 *		context, from queue_rq. Returns false if the server is on its way out and nobody
 *		will deliver it. If it sets *@kick, the caller must call @kick with the same slot
 *		before it returns to the block layer.
 * @kick:	notify the server of what was published.
 * @uring_cmd:	a command on the channel device, see struct file_operations.
 * @wake:	sq->dead is set, its requests have ended and no publish is under way: tell the
 *		server, that is, complete every parked command. Process context.
 */
struct ubdx_chan_ops {
	bool (*publish)(struct ubdx_server_queue *sq, struct ubdx_slot *slot, bool *kick);
	void (*kick)(struct ubdx_server_queue *sq, struct ubdx_slot *slot);
	int (*uring_cmd)(struct ubdx_server *srv, struct io_uring_cmd *cmd,
			 unsigned int issue_flags);
	void (*wake)(struct ubdx_server_queue *sq);
};

extern const struct ubdx_chan_ops ubdx_chan_uring;

#endif /* UBDX_CHAN_H */
