// SPDX-License-Identifier: GPL-2.0
/*
 * Control commands of ublk. Each is one uring_cmd on /dev/ublk-control. They have a ring of their
 * own, with 128-byte SQEs.
 */
#include <errno.h>
#include <fcntl.h>
#include <string.h>
#include <unistd.h>

#include "ublk-peer.h"

static int ctrl_submit(struct peer_ctrl *c, __u32 op, void *buf, __u16 len, __u64 data)
{
	struct io_uring_sqe *sqe = io_uring_get_sqe(&c->ring);
	struct ublksrv_ctrl_cmd *cmd;
	int ret;

	if (!sqe)
		return -EBUSY;
	memset(sqe, 0, 2 * sizeof(*sqe));
	cmd = (void *)sqe->cmd;
	sqe->opcode = IORING_OP_URING_CMD;
	sqe->fd = c->fd;
	sqe->cmd_op = op;
	cmd->dev_id = c->id;
	cmd->queue_id = -1;
	cmd->addr = (uintptr_t)buf;
	cmd->len = len;
	cmd->data[0] = data;
	ret = io_uring_submit(&c->ring);
	return ret < 0 ? ret : 0;
}

int ctrl_reap(struct peer_ctrl *c)
{
	struct io_uring_cqe *cqe;
	int ret = io_uring_wait_cqe(&c->ring, &cqe);

	if (ret < 0)
		return ret;
	ret = cqe->res;
	io_uring_cqe_seen(&c->ring, cqe);
	return ret;
}

static int ctrl_call(struct peer_ctrl *c, __u32 op, void *buf, __u16 len)
{
	return ctrl_submit(c, op, buf, len, 0) ?: ctrl_reap(c);
}

int ctrl_open(struct peer_ctrl *c, int id)
{
	int ret;

	c->id = id;
	c->fd = open("/dev/ublk-control", O_RDWR | O_CLOEXEC);
	if (c->fd < 0)
		return -errno;
	ret = io_uring_queue_init(4, &c->ring, IORING_SETUP_SQE128);
	if (ret < 0)
		close(c->fd);
	return ret;
}

void ctrl_close(struct peer_ctrl *c)
{
	io_uring_queue_exit(&c->ring);
	close(c->fd);
}

int ctrl_features(struct peer_ctrl *c, __u64 *features)
{
	return ctrl_call(c, UBLK_U_CMD_GET_FEATURES, features, sizeof(*features));
}

int ctrl_add(struct peer_ctrl *c, struct ublksrv_ctrl_dev_info *info)
{
	return ctrl_call(c, UBLK_U_CMD_ADD_DEV, info, sizeof(*info));
}

int ctrl_set_params(struct peer_ctrl *c, struct peer_params *params)
{
	params->len = sizeof(*params);
	return ctrl_call(c, UBLK_U_CMD_SET_PARAMS, params, sizeof(*params));
}

int ctrl_del(struct peer_ctrl *c)
{
	return ctrl_call(c, UBLK_U_CMD_DEL_DEV, NULL, 0);
}

int ctrl_submit_start(struct peer_ctrl *c)
{
	return ctrl_submit(c, UBLK_U_CMD_START_DEV, NULL, 0, getpid());
}

int ctrl_submit_stop(struct peer_ctrl *c)
{
	return ctrl_submit(c, UBLK_U_CMD_STOP_DEV, NULL, 0, 0);
}
