/* SPDX-License-Identifier: (GPL-2.0 WITH Linux-syscall-note) OR MIT */
/*
 * ubdx.h - the interface between the ubdx driver and its servers. ubdx_trace.h: trace events.
 *
 * Two kinds of device node:
 *
 *   /dev/ubdx-control  ioctls that add, start, stop, delete, list and set devices.
 *   /dev/ubdxcN        the channel of device N. Exactly one process, the *server*, has it open.
 *
 * and one block device, /dev/ubdxbN, while device N is live, or waits for its next server.
 *
 * The life of a device, from the server's side:
 *
 *   1. UBDX_IOC_ADD on the control node: /dev/ubdxcN appears.
 *   2. open /dev/ubdxcN (O_RDWR | O_CLOEXEC, less is -EACCES); this binds the device to the caller's mm.
 *      -EINTR, also when nothing but a completion of the caller's io_uring was pending: try again.
 *   3. for each queue: mmap its descriptors (PROT_READ, MAP_SHARED, offset
 *      queue * UBDX_MMAP_QUEUE_STRIDE, length depth * sizeof(struct ubdx_desc)
 *      rounded up to the page size).
 *   4. from the task that will serve the queue, as IORING_OP_URING_CMD: UBDX_CMD_ATTACH, which binds
 *      the queue to (mm, ring, task); commands from anybody else get -EPERM. Then one
 *      UBDX_CMD_FETCH for every tag.
 *   5. if it likes UBDX_IOC_SET_TARGET_INFO, then UBDX_IOC_START: /dev/ubdxbN appears.
 *   6. a command completes with res == 0: descriptors[tag] holds a request. Serve it, by way of
 *      the transfer mode that it carries, then UBDX_CMD_COMMIT_AND_FETCH with the descriptor's
 *      sequence number. This ends the request and parks the command for the tag's next one.
 *   7. a command completes with res == -ENODEV: the device is gone. Leave.
 *
 * If the server dies, closes its ring, lets a queue's task exit, or keeps a request for longer than
 * the I/O timeout, the driver ends every request with an error and takes the block
 * device away. The driver notices the end of the process and of the ring at once; that a queue's
 * task exits or is being killed, also where its storage holds it up in the kernel, within about two
 * seconds; anything else by the timeout, also that the server is stuck in a page fault of its
 * buffer. Time in which user space is frozen (suspend, hibernation) doesn't count.
 *
 * A server that opens the channel and doesn't call START keeps the device from others for
 * UBDX_START_SECONDS. The next open after that is -EBUSY too, but lets that server go (its commands
 * complete with -ENODEV), and a later open succeeds.
 *
 * open(2) of the channel: -EACCES, -EINTR as above; -EINVAL from a kernel thread; -EBUSY the device
 * has a server, see above; -ENODEV it was stopped;
 * -ENOMEM. mmap(2): -EPERM not the server, or a protection that isn't allowed; -EINVAL an offset or a length that
 * isn't one of those described here; -ENOMEM. An unknown ioctl is -ENOTTY, an unknown command -EINVAL.
 *
 * All integers are in native byte order; sectors are of 512 bytes; every reserved field must be
 * zero and is checked. The structs have the same layout for 32- and 64-bit
 * programs.
 */
#ifndef _UAPI_UBDX_H
#define _UAPI_UBDX_H

#include <linux/ioctl.h>
#include <linux/types.h>

/* What struct ubdx_add.version must say. Grows when the meaning of a field changes. */
#define UBDX_VERSION 1

#define UBDX_CONTROL_NAME "ubdx-control"

#define UBDX_SECTOR_SHIFT 9

/* After its open, or its last try, a server has so long for (the next) START. */
#define UBDX_START_SECONDS 10

/* Hard bounds, the same on every kernel. */
#define UBDX_MAX_DEPTH 4096
#define UBDX_MAX_QUEUES 8192
#define UBDX_MAX_IO_BYTES (4U << 20)
#define UBDX_MIN_IO_BYTES 4096U

/* What 0 stands for in struct ubdx_params. */
#define UBDX_DEFAULT_QUEUES 1
#define UBDX_DEFAULT_DEPTH 64
#define UBDX_DEFAULT_IO_BYTES (512U << 10)

/* mmap offset of a queue's descriptors: queue * UBDX_MMAP_QUEUE_STRIDE */
#define UBDX_MMAP_QUEUE_STRIDE (1ULL << 24)

/* struct ubdx_desc.op */
enum ubdx_op {
	UBDX_OP_READ = 0,
	UBDX_OP_WRITE = 1,
	UBDX_OP_FLUSH = 2,
	UBDX_OP_DISCARD = 3,
	UBDX_OP_WRITE_ZEROES = 4,
};

/*
 * struct ubdx_desc.xfer: how the payload of this request moves. The mode is latched when the block
 * layer hands the request over; the server serves whatever the descriptor says. A server offers the
 * modes that it can serve when it adds the device.
 *
 * Every mode but UBDX_XFER_COPY lets the server reach the request's own pages, and takes its word for
 * how many bytes of a READ it has filled: they may be pages that hold something else until then. So
 * these modes are open to a server only if it had CAP_SYS_ADMIN when it opened the channel; for others
 * it is as if they had not been offered.
 */
enum ubdx_xfer_mode {
	/*
	 * The payload of a WRITE has been copied into the buffer that the tag's FETCH named, before
	 * the descriptor was delivered; what the server left there is copied into a READ's pages
	 * when it commits.
	 */
	UBDX_XFER_COPY = 0,
	/*
	 * Nothing is moved before the server asks: it reads a WRITE's payload from the channel, and
	 * writes a READ's to it, at ubdx_pos(). It may leave out what it has no use for.
	 */
	UBDX_XFER_USER = 1,
	/*
	 * The request's pages are in the server's memory, in the tag's place in one of the queue's
	 * windows, see ubdx_window(), until it commits. They can't be pinned: I/O that needs that, such
	 * as O_DIRECT, gets -EFAULT. What UBDX_XFER_USER offers works, too.
	 */
	UBDX_XFER_MAP = 2,
	/*
	 * splice(2), sendfile(2) and their like work on the channel, at ubdx_pos(): a WRITE's pages go
	 * into a pipe without a copy, a READ's are filled from one with one. A request that is committed
	 * while pages of it are in a pipe ends when they are gone; and a server that is given up is cut
	 * off from them: reading the pipe is -EIO then. What UBDX_XFER_USER offers works, too.
	 */
	UBDX_XFER_SPLICE = 3,
};

#define UBDX_XFER_NAME_LEN 16

/*
 * Why a request does not have the mode of its device: that can't carry it, so it has UBDX_XFER_USER,
 * which can carry everything. In the event ubdx_done, and counted in sysfs.
 */
enum ubdx_fallback {
	UBDX_FALLBACK_NONE = 0,
	UBDX_FALLBACK_PARTIAL =
		1, /* MAP: it doesn't fill its pages, which hold something else, too */
	UBDX_FALLBACK_GAP = 2, /* MAP, pages shown whole: it isn't contiguous all the same */
	UBDX_FALLBACK_LONG = 3, /* MAP, the same: it has more pages than the tag's place */
	UBDX_FALLBACK_SLAB =
		4, /* SPLICE: it has pages that can't be in a pipe, such as a journal's */
};

/*
 * Positions on the channel: where pread, pwrite and their like, io_uring's too, find a request's
 * payload. READs are written to, WRITEs are read from, as often as the server likes and in any order,
 * while the request is at the server, by any task of the process that opened the channel. What they
 * return:
 *
 *	bytes		up to the end of the request's payload; at its end, reading returns 0
 *	-ENOSPC		writing at the end
 *	-EINVAL		no such queue or tag; reading from a READ, writing to a WRITE, or either to a
 *			request without payload
 *	-ESTALE		this request isn't at the server any more
 *	-EOPNOTSUPP	it has a mode that doesn't allow this (UBDX_XFER_COPY)
 *	-ENODEV		the device was stopped, deleted, or failed
 *	-EPERM		another process opened the channel
 *	-EFAULT, -EINTR	the caller's memory isn't there, or it was killed while that was fetched
 *	-ENOMEM		no memory for the caller's pages, as by its cgroup's limit; or for the
 *			driver's bookkeeping. It can be tried again; so can the request, see
 *			struct ubdx_commit.
 *
 * A commit of the request waits for who is in the middle of it.
 */
#define UBDX_POS_OFFSET_BITS 24
#define UBDX_POS_TAG_BITS 12
#define UBDX_POS_QUEUE_BITS 13
#define UBDX_POS_SEQ_BITS 13

/**
 * ubdx_pos - position of a byte of a request's payload.
 * @queue:	queue.
 * @tag:	the descriptor's tag.
 * @seq:	the descriptor's seq; its low UBDX_POS_SEQ_BITS tell the request from others of the tag.
 * @offset:	byte, from the start of the request.
 */
static inline __u64 ubdx_pos(__u32 queue, __u32 tag, __u32 seq, __u32 offset)
{
	return offset | (__u64)tag << UBDX_POS_OFFSET_BITS |
	       (__u64)queue << (UBDX_POS_OFFSET_BITS + UBDX_POS_TAG_BITS) |
	       (__u64)(seq & ((1U << UBDX_POS_SEQ_BITS) - 1))
		       << (UBDX_POS_OFFSET_BITS + UBDX_POS_TAG_BITS + UBDX_POS_QUEUE_BITS);
}

/*
 * Windows, for UBDX_XFER_MAP: two a queue, depth * max_io_bytes long, to be mapped whole and
 * MAP_SHARED at these offsets of the channel; a tag's place is at tag * max_io_bytes. That for WRITEs
 * can only be mapped PROT_READ, that for READs only PROT_READ | PROT_WRITE. The payload starts
 * desc->page_offset into the place, which is 0 unless the administrator has set allow_partial_pages:
 * then what else is in the first and the last page can be seen, and written to, also.
 *
 * Touching a place that holds no request is SIGBUS, and so is doing it in a forked child; pages that a
 * child has seen go from it, too, when the request ends. When the device is gone (-ENODEV) a place holds
 * a page of no meaning, so that a server that is being left behind isn't killed for it. What a READ's
 * pages hold before the server fills them isn't defined.
 */
#define UBDX_MMAP_WINDOWS (1ULL << 48)
#define UBDX_WINDOW_WRITE (1ULL << 47)
#define UBDX_WINDOW_SHIFT 34

/**
 * ubdx_window - offset of a window.
 * @queue:	queue.
 * @op:		UBDX_OP_READ or UBDX_OP_WRITE.
 */
static inline __u64 ubdx_window(__u32 queue, __u8 op)
{
	return UBDX_MMAP_WINDOWS | (op == UBDX_OP_WRITE ? UBDX_WINDOW_WRITE : 0) |
	       (__u64)queue << UBDX_WINDOW_SHIFT;
}

/* struct ubdx_desc.flags */
#define UBDX_DESC_FUA (1U << 0) /* WRITE: on stable storage before it ends */
#define UBDX_DESC_NOUNMAP (1U << 1) /* WRITE_ZEROES: don't punch a hole */
#define UBDX_DESC_META (1U << 2) /* the submitter called it metadata */
#define UBDX_DESC_STAMP (1U << 3) /* stamp is valid, somebody is tracing */

/**
 * struct ubdx_desc - one request, as the server sees it.
 * @sector:	first sector; 0 for FLUSH.
 * @nr_sectors:	length in sectors; 0 for FLUSH.
 * @seq:	sequence number; a commit must repeat it. Never the same for two consecutive
 *		requests of one tag.
 * @tag:	0 … depth - 1, also the index of this descriptor.
 * @op:		enum ubdx_op.
 * @xfer:	enum ubdx_xfer_mode.
 * @flags:	UBDX_DESC_*.
 * @page_offset: UBDX_XFER_MAP: where the payload starts in the tag's place.
 * @stamp:	with UBDX_DESC_STAMP: CLOCK_MONOTONIC, in ns, when the driver ran in the server's
 *		task for this request (T2).
 *
 * Written by the driver before the tag's command completes; stable until it is committed.
 * The server's mapping is read-only.
 */
struct ubdx_desc {
	__u64 sector;
	__u32 nr_sectors;
	__u32 seq;
	__u16 tag;
	__u8 op;
	__u8 xfer;
	__u16 flags;
	__u16 page_offset;
	__u64 stamp;
};

/* Commands on /dev/ubdxcN (IORING_OP_URING_CMD; sqe->cmd_op; the payload is in sqe->cmd). */

/*
 * UBDX_CMD_ATTACH, struct ubdx_attach: make the calling task and its ring the queue's. The command
 * stays parked as long as they are; by its cancellation the driver learns that the ring is gone.
 *
 * res:	-ENODEV		the device was stopped, deleted, or failed
 *	-EINVAL		no such queue, or a reserved field isn't zero
 *	-EBUSY		the queue has been attached to already
 *	-EPERM		another process opened the channel
 *	-EOPNOTSUPP	issued from io-wq (IOSQE_ASYNC)
 */
#define UBDX_CMD_ATTACH _IOW(0xBD, 0x42, struct ubdx_attach)

/*
 * UBDX_CMD_FETCH, struct ubdx_fetch: park a command for one tag.
 *
 * res:	0		a request is in descriptors[tag]
 *	-ENODEV		the device was stopped, deleted, or failed
 *	-EINVAL		no such queue or tag, or a reserved field isn't zero
 *	-EBUSY		the tag has been fetched already
 *	-EPERM		the queue belongs to another task or ring, or to none
 *	-EOPNOTSUPP	issued from io-wq (IOSQE_ASYNC)
 */
#define UBDX_CMD_FETCH _IOW(0xBD, 0x40, struct ubdx_fetch)

/*
 * UBDX_CMD_COMMIT_AND_FETCH, struct ubdx_commit: answer one request and park for the next.
 *
 * res: as for FETCH, and
 *	-ESTALE		no request with this (tag, seq) is at the server: it was committed
 *			before, or its end was forced. The command is not parked.
 */
#define UBDX_CMD_COMMIT_AND_FETCH _IOW(0xBD, 0x41, struct ubdx_commit)

/*
 * sqe->len of a UBDX_CMD_COMMIT_AND_FETCH, a bit set. Unknown bits are -EINVAL.
 *
 * UBDX_COMMIT_MORE: another commit of this queue follows in the same submission. The driver may end
 * the request together with the next one, which is cheaper. It ends the request no later than when the
 * task leaves the submission, or sleeps in it.
 */
#define UBDX_COMMIT_MORE (1U << 0)

/**
 * struct ubdx_attach - payload of UBDX_CMD_ATTACH.
 * @qid:	queue.
 * @reserved:	zero.
 */
struct ubdx_attach {
	__u16 qid;
	__u16 reserved[7];
};

/**
 * struct ubdx_fetch - payload of UBDX_CMD_FETCH.
 * @qid:	queue.
 * @tag:	tag.
 * @reserved:	zero.
 * @addr:	address of the tag's buffer in the server's memory, for UBDX_XFER_COPY. At least
 *		max_io_bytes long. The driver checks nothing until it copies: a request whose
 *		buffer turns out to be inaccessible fails with EIO.
 */
struct ubdx_fetch {
	__u16 qid;
	__u16 tag;
	__u32 reserved;
	__u64 addr;
};

/**
 * struct ubdx_commit - the server's answer to one request.
 * @seq:	the descriptor's seq.
 * @qid:	queue.
 * @tag:	tag.
 * @res:	READ, WRITE: the number of bytes served, from the start of the request, or a
 *		negative errno. It is rounded down to the logical block; the rest of the
 *		request comes back as a new request. 0 fails the request with EIO, and so
 *		does a number above the request's length. -ENOMEM: the request comes again a
 *		moment later. -EOPNOTSUPP for a DISCARD or WRITE_ZEROES: no more of them come.
 *		Other operations: 0, or a negative errno.
 * @read_ns:	with UBDX_DESC_STAMP: ns from @stamp to when the server read the descriptor (T3);
 *		0 if it didn't measure. Shown to tracers, believed by nobody.
 */
struct ubdx_commit {
	__u32 seq;
	__u16 qid;
	__u16 tag;
	__s32 res;
	__u32 read_ns;
};

/* struct ubdx_params.attrs */
#define UBDX_ATTR_READ_ONLY (1U << 0) /* no WRITE, DISCARD or WRITE_ZEROES ever comes */
#define UBDX_ATTR_WRITE_CACHE (1U << 1) /* volatile cache: FLUSHes are sent */
#define UBDX_ATTR_FUA (1U << 2) /* the server honours UBDX_DESC_FUA */
#define UBDX_ATTR_ROTATIONAL (1U << 3)
#define UBDX_ATTR_ALL ((1U << 4) - 1)

/*
 * What becomes of the device when its server is gone, in whatever way. Unless it is UBDX_RECOVERY_FAIL
 * the device is QUIESCED then: new requests wait, with no limit, until another server has opened the
 * channel, fetched every tag and called START, or until the device is stopped by force. A server whose
 * process still lives (too late with an answer, ring closed, queue's thread gone) is killed, with
 * every process that shares its memory, lest it write to its storage when another does. START of the
 * next one waits until that memory is gone.
 *
 * UBDX_RECOVERY_FAIL: the block device goes; requests fail with EIO.
 * UBDX_RECOVERY_QUEUE: requests that the server has seen and not answered fail with EIO, since nobody
 *	knows how far it came. Nothing is served twice.
 * UBDX_RECOVERY_REISSUE: they are given to the next server. It may serve a request that the last one
 *	has served already, wholly or in part: only for targets where doing that twice is doing it
 *	once. No request fails.
 */
enum ubdx_recovery {
	UBDX_RECOVERY_FAIL = 0,
	UBDX_RECOVERY_QUEUE = 1,
	UBDX_RECOVERY_REISSUE = 2,
};

/**
 * struct ubdx_params - what a device is like. Written by the server at ADD, with defaults filled
 * in by the driver; constant for the device's life.
 * @dev_sectors:	capacity; a multiple of the logical block.
 * @nr_queues:		1 … number of possible CPUs; 0: UBDX_DEFAULT_QUEUES.
 * @depth:		tags per queue, 1 … UBDX_MAX_DEPTH; 0: UBDX_DEFAULT_DEPTH.
 * @max_io_bytes:	the longest request; a multiple of 4096, UBDX_MIN_IO_BYTES …
 *		UBDX_MAX_IO_BYTES;
 *		0: UBDX_DEFAULT_IO_BYTES.
 * @timeout_ms:		the I/O timeout: how long the server may keep a request, 1000 …; 0: 30 s.
 *			After that, give or take a second, the server is declared dead. The disk's
 *			queue/io_timeout starts with it; a smaller number there shortens it, a
 *			larger one doesn't prolong it.
 * @logical_block_size:	512, 1024, 2048 or 4096; 0: 512.
 * @physical_block_size: power of two, at least the logical one; 0: 4096.
 * @io_min:		preferred minimum I/O size in bytes, at most the longer of max_io_bytes and the
 *			physical block; 0: the physical block.
 * @io_opt:		preferred I/O size in bytes; 0: none.
 * @discard_granularity: in bytes; 0: the logical block.
 * @max_discard_sectors: longest DISCARD, whole logical blocks, at least discard_granularity and a physical block; 0: not supported.
 * @max_write_zeroes_sectors: longest WRITE_ZEROES, whole logical blocks; 0: not supported.
 * @dma_alignment:	mask of the memory alignment asked of direct I/O, 2^n - 1, at most 4095;
 *			0: 3 (four bytes).
 * @max_segments:	longest scatter list of a request; 0: max_io_bytes / 4096 + 1.
 * @max_segment_size:	longest physically contiguous piece in bytes, at least 4096; 0: no limit.
 * @attrs:		UBDX_ATTR_*.
 * @numa_node:		node for tags and the queues' memory; -1: that of each queue's CPUs.
 * @recovery:		enum ubdx_recovery.
 * @reserved:		zero.
 */
struct ubdx_params {
	__u64 dev_sectors;
	__u32 nr_queues;
	__u32 depth;
	__u32 max_io_bytes;
	__u32 timeout_ms;
	__u32 logical_block_size;
	__u32 physical_block_size;
	__u32 io_min;
	__u32 io_opt;
	__u32 discard_granularity;
	__u32 max_discard_sectors;
	__u32 max_write_zeroes_sectors;
	__u32 dma_alignment;
	__u32 max_segments;
	__u32 max_segment_size;
	__u32 attrs;
	__s32 numa_node;
	__u32 recovery;
	__u32 reserved0;
	__u64 reserved[2];
};

/*
 * Control ioctls. Whom the control node's file mode admits may call them: FEATURES, INFO and
 * GET_TARGET_INFO on a descriptor that is open for reading, the others, which are -EACCES there, on one that is open for writing.
 */

/**
 * struct ubdx_features - what this driver on this kernel can do (UBDX_IOC_FEATURES, out).
 * @version:		UBDX_VERSION of the driver.
 * @max_queues:		number of possible CPUs.
 * @max_depth:		UBDX_MAX_DEPTH.
 * @max_io_bytes:	UBDX_MAX_IO_BYTES.
 * @max_devices:	module parameter.
 * @nr_devices:		devices there are now.
 * @xfer_modes:		bit 1 << enum ubdx_xfer_mode for each mode that works on this kernel.
 * @features:		UBDX_F_* that ADD may ask for; none so far.
 * @reserved:		zero.
 */
struct ubdx_features {
	__u32 version;
	__u32 max_queues;
	__u32 max_depth;
	__u32 max_io_bytes;
	__u32 max_devices;
	__u32 nr_devices;
	__u64 xfer_modes;
	__u64 features;
	__u64 reserved[3];
};

/**
 * struct ubdx_add - UBDX_IOC_ADD, in and out.
 * @version:	in: UBDX_VERSION, else -EPROTO.
 * @id:		in: the device's number, or -1 for the lowest free one. out: the number.
 * @features:	in: UBDX_F_* the server relies on; an unknown one is -EOPNOTSUPP.
 * @xfer_modes:	in: bit mask of the modes that the server offers to serve; at least one that the
 *		driver has, else -EOPNOTSUPP. Modes that can't carry every request count only
 *		together with UBDX_XFER_USER.
 * @params:	in: see above. out: with the defaults filled in.
 *
 * Errors: -EEXIST the number is taken; -ENOSPC max_devices reached; -EINVAL a parameter is out of
 * its bounds; -ENOMEM.
 */
struct ubdx_add {
	__u32 version;
	__s32 id;
	__u64 features;
	__u64 xfer_modes;
	__u64 reserved;
	struct ubdx_params params;
};

/**
 * struct ubdx_ctl - UBDX_IOC_START, _STOP, _DEL and _QUIESCE, in.
 * @id:		device. STOP and DEL on a channel: its device, else -EINVAL.
 * @flags:	for STOP and DEL: 0 or one of UBDX_CTL_*. Else zero.
 * @xfer_modes:	START of a QUIESCED device: the modes that its new server offers, as at ADD; 0: those
 *		that the last one did. Else zero.
 * @timeout_ms:	UBDX_CTL_IN_USE: after so long the rest is done as by UBDX_CTL_FORCE; 0: no limit. The
 *		same place as @xfer_modes. Else zero.
 */
struct ubdx_ctl {
	__s32 id;
	__u32 flags;
	union {
		__u64 xfer_modes;
		__u64 timeout_ms;
	};
};

/*
 * The ways to STOP or DEL. A device "is open" while the block device or one of its partitions is, by
 * a program or by a mounted file system.
 *
 * 0: only a device that isn't open; else -EBUSY.
 *
 * UBDX_CTL_FORCE: also while it is open, and at once. Requests that the server has not answered, and
 * dirty pages, are lost: their users get EIO. It cuts all other ways short.
 *
 * UBDX_CTL_IN_USE: also while it is open, in good order. New opens fail, file systems on the device
 * and its page cache are written back through the server, file systems shut down, then the block
 * device goes. -EBUSY if the device is open and has no server (UBDX_S_QUIESCED). Should the server
 * fail meanwhile, what is left is lost.
 *
 * UBDX_CTL_LAST_CLOSE: DEL only. A device that is open is marked, which UBDX_IOC_INFO shows
 * (UBDX_INFO_STOPPING), and the call returns -EINPROGRESS. It is served as before, also new opens, and
 * deleted at the last close. It does not recover any more (enum ubdx_recovery): if the server fails,
 * the device is dead. -EBUSY if the device is open and has no server.
 */
#define UBDX_CTL_FORCE (1U << 0)
#define UBDX_CTL_IN_USE (1U << 1)
#define UBDX_CTL_LAST_CLOSE (1U << 2)

/* struct ubdx_info.state */
enum ubdx_state {
	UBDX_S_ADDED = 0, /* no block device yet; a server can open the channel and START */
	UBDX_S_LIVE = 1, /* /dev/ubdxbN is there */
	UBDX_S_DEAD = 2, /* stopped, or its server died; can only be deleted */
	UBDX_S_QUIESCED =
		3, /* without a server, which another can become; see enum ubdx_recovery */
};

/**
 * struct ubdx_info - UBDX_IOC_INFO, in and out.
 * @id:		in: device. With UBDX_INFO_NEXT: the lowest id wanted. out: the device found.
 * @flags:	in: UBDX_INFO_NEXT: take the first device whose number is at least @id.
 * @state:	enum ubdx_state.
 * @server_pid:	the server's process in the caller's pid namespace; 0: none.
 * @xfer:	the mode new requests take.
 * @xfer_pinned: 1: set for this device; 0: follows the module parameter.
 * @xfer_wanted: the mode last asked for (differs from @xfer where the server doesn't offer it).
 * @status:	out: UBDX_INFO_STOPPING: to be deleted at the last close, or being removed;
 *		UBDX_INFO_SCANNING: the partition scan that follows the first START isn't over.
 * @disk_major:	with @disk_minor the block device's number; 0:0 when there is none (neither LIVE nor QUIESCED).
 * @xfer_modes:	offered by the server and the driver.
 * @params:	as in force.
 * @reserved:	zero.
 *
 * Errors: -ENODEV there is no such device.
 */
struct ubdx_info {
	__s32 id;
	__u32 flags;
	__u32 state;
	__s32 server_pid;
	__u32 xfer;
	__u32 xfer_pinned;
	__u32 xfer_wanted;
	__u32 disk_major;
	__u32 disk_minor;
	__u32 status;
	__u64 xfer_modes;
	struct ubdx_params params;
	__u64 reserved[4];
};

#define UBDX_INFO_NEXT (1U << 0)

/* struct ubdx_info.status */
#define UBDX_INFO_STOPPING (1U << 0)
#define UBDX_INFO_SCANNING (1U << 1)

/**
 * struct ubdx_set - UBDX_IOC_SET, in.
 * @id:		device.
 * @xfer:	pin the device to this mode; UBDX_SET_XFER_DEFAULT: follow the module parameter
 *		again.
 *
 * Errors: -ENODEV; -EINVAL no such mode; -EOPNOTSUPP the server doesn't offer it.
 */
struct ubdx_set {
	__s32 id;
	__u32 xfer;
	__u64 reserved;
};

#define UBDX_SET_XFER_DEFAULT (~0U)

/**
 * struct ubdx_target_info - what a device stands on, in its server's words. The driver keeps it for those
 * who look (also in sysfs: ubdx/target, serial), and for the next server, which can see from @target
 * and @token whether it would serve the same data. The driver itself compares nothing.
 * @id:		device.
 * @reserved:	zero.
 * @token:	tells apart what targets of one kind stand on: of a file, say, device and inode number.
 * @target:	kind of target: one printable ASCII word.
 * @serial:	serial number of the block device, likewise; "": none. It can be read from
 *		/sys/block/ubdxbN/serial, if the first server has one.
 * @text:	for people: a path, say. Any bytes; don't show them unquoted.
 *
 * The strings end with a NUL. What nobody has set is zero.
 */
struct ubdx_target_info {
	__s32 id;
	__u32 reserved;
	__u64 token[2];
	char target[16];
	char serial[32];
	char text[256];
};

#define UBDX_IOC_FEATURES _IOR(0xBD, 0x00, struct ubdx_features)
#define UBDX_IOC_ADD _IOWR(0xBD, 0x01, struct ubdx_add)
/*
 * START: from the server, with every tag of every queue fetched.
 * Errors: -ENODEV; -EINVAL @flags, or @xfer_modes of a device that isn't QUIESCED; -EPERM not the
 * server; -EBUSY started already; -EAGAIN not every tag is fetched, or a partition
 * scan that began under another server waits, and the caller lacks CAP_SYS_ADMIN; -ENXIO the server
 * has failed; -ETIME a server before it, which failed and was killed, still isn't gone after ten
 * seconds: try again; -EINTR; -EOPNOTSUPP it offers no mode that the driver has.
 */
#define UBDX_IOC_START _IOW(0xBD, 0x02, struct ubdx_ctl)
/*
 * STOP: take the block device away, see UBDX_CTL_*. Unless by force, dirty pages are written back
 * through the server first. Parked commands complete with -ENODEV. Must not be called from a queue's
 * task. On the channel it is the server's own device, whatever has become of its number: -EPERM for a
 * process that has not opened the channel, -ENODEV if the caller isn't the device's server any more.
 * Errors: -ENODEV; -EINVAL; -EBUSY it is open; -EINTR.
 */
#define UBDX_IOC_STOP _IOW(0xBD, 0x03, struct ubdx_ctl)
/*
 * DEL: STOP if needed, then forget the device. On the channel as STOP. Errors: as STOP, and
 * -EINPROGRESS with UBDX_CTL_LAST_CLOSE.
 */
#define UBDX_IOC_DEL _IOW(0xBD, 0x04, struct ubdx_ctl)
#define UBDX_IOC_INFO _IOWR(0xBD, 0x05, struct ubdx_info)
#define UBDX_IOC_SET _IOW(0xBD, 0x06, struct ubdx_set)
/*
 * QUIESCE: the first half of handing a device over to another server. New requests wait; when the
 * server has answered all that it has (for which it gets the I/O timeout) it is told that the device
 * is gone, and the device is QUIESCED. No request fails, and none is served twice.
 * Errors: -ENODEV it isn't LIVE; -ESHUTDOWN it is being stopped; -EOPNOTSUPP its recovery is
 * UBDX_RECOVERY_FAIL; -ETIME the server hasn't answered, and stays; -ENXIO the server failed
 * meanwhile: the device is QUIESCED, or about to go if a forced STOP or DEL waits, and requests may
 * have been aborted (enum ubdx_recovery); -EINTR.
 */
#define UBDX_IOC_QUIESCE _IOW(0xBD, 0x07, struct ubdx_ctl)

/*
 * SET_TARGET_INFO: from the server, before START, at which the description becomes the device's. It stays
 * when the server is gone, until another one that has set its own STARTs.
 * Errors: -ENODEV; -EINVAL a string's form, @reserved, no @target; -EPERM not the server; -EBUSY the device
 * is LIVE; -ENOMEM.
 */
#define UBDX_IOC_SET_TARGET_INFO _IOW(0xBD, 0x08, struct ubdx_target_info)
/* GET_TARGET_INFO: in: @id; out: the rest. On a descriptor for reading, too. Errors: -ENODEV. */
#define UBDX_IOC_GET_TARGET_INFO _IOWR(0xBD, 0x09, struct ubdx_target_info)

#ifndef UBDX_ASSERT_SIZE
#ifdef __cplusplus
#define UBDX_ASSERT_SIZE(t, n) static_assert(sizeof(t) == (n), #t)
#else
#define UBDX_ASSERT_SIZE(t, n) _Static_assert(sizeof(t) == (n), #t)
#endif
#endif

UBDX_ASSERT_SIZE(struct ubdx_desc, 32);
UBDX_ASSERT_SIZE(struct ubdx_attach, 16);
UBDX_ASSERT_SIZE(struct ubdx_fetch, 16);
UBDX_ASSERT_SIZE(struct ubdx_commit, 16);
UBDX_ASSERT_SIZE(struct ubdx_params, 96);
UBDX_ASSERT_SIZE(struct ubdx_features, 64);
UBDX_ASSERT_SIZE(struct ubdx_add, 128);
UBDX_ASSERT_SIZE(struct ubdx_ctl, 16);
UBDX_ASSERT_SIZE(struct ubdx_info, 176);
UBDX_ASSERT_SIZE(struct ubdx_set, 16);
UBDX_ASSERT_SIZE(struct ubdx_target_info, 328);

#endif /* _UAPI_UBDX_H */
