/* SPDX-License-Identifier: GPL-2.0 */
/*
 * ublk-peer: a small ublk server, the peer that ubdx is compared with. It has one thread, which
 * owns everything here.
 *
 *   ublk-peer.c   options, and the life of the device from add to delete
 *   ublk-ctrl.c   control commands on /dev/ublk-control
 *   ublk-queue.c  the queue: takes requests, moves payloads as the mode says, answers
 *
 * The server serves one device with one queue, as cheaply as ublk's UAPI allows. Older kernel
 * headers lack a part of that UAPI, so this header declares the part that is newer than 6.12.
 */
#ifndef UBLK_PEER_H
#define UBLK_PEER_H

#include <stdbool.h>
#include <stdint.h>
#include <liburing.h>
#include <linux/ublk_cmd.h>

#ifndef UBLK_F_AUTO_BUF_REG
#define UBLK_F_AUTO_BUF_REG (1ULL << 11)
#endif
#ifndef UBLK_F_BATCH_IO
#define UBLK_F_BATCH_IO (1ULL << 15)
#define UBLK_U_IO_PREP_IO_CMDS _IOWR('u', 0x25, struct peer_batch_cmd)
#define UBLK_U_IO_COMMIT_IO_CMDS _IOWR('u', 0x26, struct peer_batch_cmd)
#define UBLK_U_IO_FETCH_IO_CMDS _IOWR('u', 0x27, struct peer_batch_cmd)
#endif
#ifndef UBLK_PARAM_TYPE_DMA_ALIGN
#define UBLK_PARAM_TYPE_DMA_ALIGN (1 << 4)
#define UBLK_PARAM_TYPE_SEGMENT (1 << 5)
#endif
#ifndef IORING_ENTER_NO_IOWAIT
#define IORING_ENTER_NO_IOWAIT (1U << 7)
#define IORING_FEAT_NO_IOWAIT (1U << 17)
#endif
#ifndef IORING_URING_CMD_MULTISHOT
#define IORING_URING_CMD_MULTISHOT (1U << 1)
#endif

/* struct ublk_batch_io: the inline part of a batch command. */
struct peer_batch_cmd {
	__u16 q_id;
	__u16 flags;
	__u16 nr_elem;
	__u8 elem_bytes;
	__u8 reserved;
	__u64 reserved2;
};

/* struct ublk_elem_header: one request in a batch command. */
struct peer_batch_elem {
	__u16 tag;
	__u16 buf_index;
	__s32 result;
};

/* struct ublk_params, up to the last field that this server sets. Older kernels read less of it. */
struct peer_params {
	__u32 len;
	__u32 types;
	struct ublk_param_basic basic;
	struct ublk_param_discard discard;
	struct ublk_param_devt devt;
	struct ublk_param_zoned zoned;
	struct {
		__u32 alignment;
		__u8 pad[4];
	} dma;
	struct {
		__u64 seg_boundary_mask;
		__u32 max_segment_size;
		__u16 max_segments;
		__u8 pad[2];
	} seg;
};

_Static_assert(sizeof(struct peer_batch_cmd) == 16, "batch command's size");
_Static_assert(sizeof(struct peer_batch_elem) == 8, "batch element's size");

/* How payloads get to the server. The rows of the comparison use the same names. */
enum peer_mode { MODE_COPY, MODE_USER, MODE_AUTO, MODE_BATCH };

struct peer_options {
	int id;
	enum peer_mode mode;
	bool touch; /* user: read or write the payload of every request */
	const char *file; /* loop's backing file; NULL is the null target */
	uint64_t size;
	unsigned int depth;
	unsigned int max_io; /* bytes */
	unsigned int max_segments;
	unsigned int max_segment_size;
};

/* The kinds of events on the queue's ring; user_data has the kind above the tag. */
enum peer_event { EV_REQUEST, EV_TARGET, EV_BATCH, EV_CONTROL, EV_SIGNAL };

#define PEER_DATA(event, tag) ((__u64)(event) << 16 | (tag))

struct peer_queue {
	struct io_uring ring;
	unsigned int enter_flags; /* of io_uring_enter() */
	const struct peer_options *opt;
	const struct ublksrv_io_desc *descs; /* mapped, written by the driver */
	int cdev; /* /dev/ublkcN, the ring's file 0 */
	int backing; /* loop's file, the ring's file 1; -1 for null */
	char *bufs; /* depth * max_io bytes; NULL where the mode needs none */
	size_t bufs_len;
	struct io_uring_sqe *commit; /* per tag; complete but for the result */
	struct io_uring_buf_ring *fetched; /* batch: buffers in which the driver delivers tags */
	unsigned int nr_fetched;
	__u16 *tags; /* batch: the memory behind `fetched` */
	struct peer_batch_elem *elems; /* batch: answers of this round */
	unsigned int nr_elems;
	bool stopped; /* the driver has aborted commands */
	unsigned long long requests, rounds;
	void (*answer)(struct peer_queue *q, unsigned int tag, int res);
};

/* ublk-ctrl.c: each returns 0 (or the result) or -errno. */
struct peer_ctrl {
	struct io_uring ring;
	int fd;
	int id;
};

int ctrl_open(struct peer_ctrl *c, int id);
void ctrl_close(struct peer_ctrl *c);
int ctrl_features(struct peer_ctrl *c, __u64 *features);
int ctrl_add(struct peer_ctrl *c, struct ublksrv_ctrl_dev_info *info);
int ctrl_set_params(struct peer_ctrl *c, struct peer_params *params);
int ctrl_del(struct peer_ctrl *c);
/*
 * Start and stop complete only while the queue is served, so these functions submit and don't wait.
 * ctrl_reap() returns the result.
 */
int ctrl_submit_start(struct peer_ctrl *c);
int ctrl_submit_stop(struct peer_ctrl *c);
int ctrl_reap(struct peer_ctrl *c);

/* ublk-queue.c */
__u64 queue_features(const struct peer_options *opt);
int queue_init(struct peer_queue *q, const struct peer_options *opt, int cdev, int backing);
void queue_exit(struct peer_queue *q);
void queue_arm(struct peer_queue *q);
void queue_watch(struct peer_queue *q, int fd, enum peer_event event);
/*
 * One round: submit, wait, serve. Returns the events other than I/O as a mask (1 << enum
 * peer_event), or -errno.
 */
int queue_serve(struct peer_queue *q);

#endif
