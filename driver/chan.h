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
 * @publish:	hand a request, and those that follow by rq_next, to the server (all of this queue,
 *		their slots QUEUED), and see to it that ubdx_describe() is called for each before
 *		the server looks. Atomic context, from queue_rq(s).
 * @uring_cmd:	a command on the channel device, see struct file_operations.
 * @wake:	sq->dead is set, its requests have ended and no publish is under way: tell the
 *		server, that is, complete every parked command. Process context.
 */
struct ubdx_chan_ops {
	void (*publish)(struct ubdx_server_queue *sq, struct request *rq);
	int (*uring_cmd)(struct ubdx_server *srv, struct io_uring_cmd *cmd,
			 unsigned int issue_flags);
	void (*wake)(struct ubdx_server_queue *sq);
};

extern const struct ubdx_chan_ops ubdx_chan_uring;

#endif /* UBDX_CHAN_H */
