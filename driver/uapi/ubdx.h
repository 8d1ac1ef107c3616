/* SPDX-License-Identifier: (GPL-2.0 WITH Linux-syscall-note) OR MIT */
/*
 * ubdx.h - the interface between the ubdx driver and its servers. ubdx_trace.h: trace events.
 *
 * Two kinds of device node:
 *
 *   /dev/ubdx-control  ioctls that add, start, stop, delete, list and configure devices.
 *   /dev/ubdxcN        the channel of device N. The process that opens it is the device's *server*.
 *                      A device has one server at a time.
 *
 * and one block device, /dev/ubdxbN, while device N is live or waits for its next server.
 *
 * The life of a device, from the server's side:
 *
 *   1. UBDX_IOC_ADD on the control node: /dev/ubdxcN appears.
 *   2. Open /dev/ubdxcN with O_RDWR | O_CLOEXEC. This binds the device to the caller's mm.
 *   3. For each queue, mmap its descriptors: PROT_READ, MAP_SHARED, offset
 *      queue * UBDX_MMAP_QUEUE_STRIDE, length depth * sizeof(struct ubdx_desc) rounded up to the
 *      page size.
 *   4. From the task that will serve the queue, submit IORING_OP_URING_CMDs: UBDX_CMD_ATTACH, which
 *      binds the queue to (mm, ring, task), then UBDX_CMD_FETCH for each tag.
 *   5. UBDX_IOC_SET_TARGET_INFO (optional), then UBDX_IOC_START: /dev/ubdxbN appears.
 *   6. When a command completes with res == 0, descriptors[tag] holds a request. Serve the request,
 *      move its payload as the descriptor's transfer mode demands, and submit
 *      UBDX_CMD_COMMIT_AND_FETCH with the descriptor's sequence number. This command ends the
 *      request. It then stays parked until the tag's next request.
 *   7. When a command completes with res == -ENODEV, the server's service has ended: the device was
 *      stopped or handed over to another server, or the server has failed.
 *
 * The server fails if it dies, closes its ring, lets a queue's task exit, or keeps a request for
 * longer than the I/O timeout. The driver then ends all requests with an error, except those whose
 * I/O it does itself, and removes the block device, unless the device recovers (enum
 * ubdx_recovery). The driver notices
 *
 *	- at once: that the process or the ring is gone;
 *	- within about two seconds: that a queue's task exits or is being killed, even if the
 *	  task's own I/O keeps it in the kernel;
 *	- after the I/O timeout: everything else, such as a server that is stuck in a page fault.
 *
 * The I/O timeout doesn't include time in which user space is frozen (suspend, hibernation).
 *
 * A server that opens the channel and doesn't call START keeps others out for UBDX_START_SECONDS.
 * After that, the next open still fails with -EBUSY, but it also removes the idle server: that
 * server's commands complete with -ENODEV, and a later open succeeds.
 *
 * open(2) of the channel: -EACCES not opened for reading and writing; -EBUSY the device has a
 * server; -EINTR a signal or task work of the caller's io_uring is pending: try again; -EINVAL a
 * kernel thread; -ENODEV the device was stopped, or its server failed; -ENOMEM.
 * mmap(2) of the channel: -EPERM the caller is not the server, or the protection is not allowed;
 * -EINVAL no such offset or length; -ENOMEM.
 * An unknown ioctl is -ENOTTY, an unknown command -EINVAL.
 *
 * All integers are in native byte order. A sector has 512 bytes. Every reserved field must be zero,
 * which is checked. The structs have the same layout for 32- and 64-bit programs.
 */
#ifndef _UAPI_UBDX_H
#define _UAPI_UBDX_H

#include <linux/ioctl.h>
#include <linux/types.h>

/* For struct ubdx_add.version. Grows when the meaning of a field changes. */
#define UBDX_VERSION 1

#define UBDX_CONTROL_NAME "ubdx-control"

#define UBDX_SECTOR_SHIFT 9

/* How long a server that hasn't started keeps others out, after its open or last try to START. */
#define UBDX_START_SECONDS 10

/* Hard bounds, the same on every kernel. */
#define UBDX_MAX_DEPTH 4096
#define UBDX_MAX_QUEUES 8192
#define UBDX_MAX_IO_BYTES (4U << 20)
#define UBDX_MIN_IO_BYTES 4096U

/* The values that 0 stands for in struct ubdx_params. */
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
 * struct ubdx_desc.xfer: how the payload of this request moves. The driver chooses the mode of a
 * request before the server sees the request. A server offers the modes that it can serve when it
 * adds the device, and must serve each request in the mode of its descriptor.
 *
 * In every mode but UBDX_XFER_COPY the server accesses the request's own pages, and the driver
 * can't check how many bytes of a READ the server has filled. A server that reports too many
 * exposes the old content of these pages. So only a server that had CAP_SYS_ADMIN when it opened
 * the channel can use these modes. The driver ignores them in the offer of any other server.
 */
enum ubdx_xfer_mode {
	/*
	 * The tag's UBDX_CMD_FETCH names a buffer of the server. The driver copies a WRITE's
	 * payload into the buffer before it delivers the descriptor, and a READ's payload out of
	 * the buffer when the server commits.
	 */
	UBDX_XFER_COPY = 0,
	/*
	 * The server reads a WRITE's payload from the channel, and writes a READ's payload to it,
	 * at ubdx_pos(). It need not read all of a WRITE.
	 */
	UBDX_XFER_USER = 1,
	/*
	 * The request's pages are mapped into the server's address space, at the tag's place in one
	 * of the queue's windows (ubdx_window()), until the server commits. The pages can't be
	 * pinned, so O_DIRECT from or to them fails with -EFAULT. The server can also use the calls
	 * of UBDX_XFER_USER.
	 */
	UBDX_XFER_MAP = 2,
	/*
	 * splice(2), sendfile(2) and similar calls work on the channel, at ubdx_pos(). A WRITE's
	 * pages go into a pipe without a copy; a READ's pages are filled from a pipe by a copy. If
	 * the server commits a request while pipes still hold pages of it, the request ends when
	 * the last of these pipe buffers is gone. When the server fails, its access to such pages
	 * is revoked: reading the pipe fails with -EIO. The server can also use the calls of
	 * UBDX_XFER_USER.
	 */
	UBDX_XFER_SPLICE = 3,
	/*
	 * Until the server commits, the request's pages are a fixed buffer of the ring that
	 * submitted UBDX_CMD_ATTACH, at index ubdx_attach.buf_base + tag. The payload starts at
	 * offset 0. READ_FIXED fills a READ's payload, WRITE_FIXED sends a WRITE's. A request that
	 * is committed while such I/O is under way ends after the I/O. The ring's buffer table must
	 * have empty entries at these indexes, see io_uring_register_buffers_sparse(3). The server
	 * can also use the calls of UBDX_XFER_USER.
	 */
	UBDX_XFER_REGBUF = 4,
	/*
	 * The server answers with extents instead of a result (UBDX_COMMIT_FORWARD), and the driver
	 * moves the payload between the request's own pages and these extents. The server can also
	 * use the calls of UBDX_XFER_USER, and answer with a result.
	 */
	UBDX_XFER_FORWARD = 5,
};

#define UBDX_XFER_NAME_LEN 16

/*
 * Why the device's mode can't carry a request. Such a request takes UBDX_XFER_USER, which can carry
 * every request. The reason is in the trace event ubdx_done and is counted in sysfs.
 */
enum ubdx_fallback {
	UBDX_FALLBACK_NONE = 0,
	UBDX_FALLBACK_PARTIAL =
		1, /* MAP: the payload doesn't fill its pages; they also hold other data */
	UBDX_FALLBACK_GAP = 2, /* MAP, allow_partial_pages: a hole between segments */
	UBDX_FALLBACK_LONG = 3, /* MAP, allow_partial_pages: more pages than the place has */
	UBDX_FALLBACK_SLAB = 4, /* SPLICE: a page of a slab (a journal's) can't be in a pipe */
	UBDX_FALLBACK_TABLE =
		5, /* REGBUF: the ring's table has no free entry for the tag, or memory is short */
	UBDX_FALLBACK_UNALIGNED = 6, /* REGBUF, FORWARD: a segment is not whole logical blocks */
};

/*
 * Positions on the channel name a byte of a request's payload, for pread(2), pwrite(2) and similar
 * calls, also those of io_uring. While the request is at the server, any task of the process that
 * opened the channel can read a WRITE's payload or write a READ's payload, in any order and more
 * than once. The calls return:
 *
 *	bytes		at most up to the payload's end; a read at the end returns 0
 *	-ENOSPC		a write at the payload's end
 *	-EINVAL		no such queue or tag; the call reads the payload of a READ or writes that
 *			of a WRITE; or the request has no payload
 *	-ESTALE		the request that the position names isn't at the server any more
 *	-EOPNOTSUPP	the request's mode doesn't allow this (UBDX_XFER_COPY)
 *	-ENODEV		the server's service has ended (step 7 above)
 *	-EPERM		another process opened the channel
 *	-EFAULT		the caller's memory isn't accessible
 *	-EINTR		the caller was killed in a page fault
 *	-ENOMEM		no memory for the driver or for the caller's pages, for example because of
 *			the caller's cgroup. Try again, or answer the request with -ENOMEM (struct
 *			ubdx_commit).
 *
 * A request that is committed during such a call ends when the call has ended.
 */
#define UBDX_POS_OFFSET_BITS 24
#define UBDX_POS_TAG_BITS 12
#define UBDX_POS_QUEUE_BITS 13
#define UBDX_POS_SEQ_BITS 13

/**
 * ubdx_pos - position of a byte of a request's payload.
 * @queue:	queue.
 * @tag:	the descriptor's tag.
 * @seq:	the descriptor's seq. The position has its low UBDX_POS_SEQ_BITS, which distinguish
 *		the request from earlier ones of the tag.
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
 * Windows, for UBDX_XFER_MAP. Each queue has a window for WRITEs, to be mapped PROT_READ, and a
 * window for READs, to be mapped PROT_READ | PROT_WRITE. Map a window MAP_SHARED, at the offset
 * that ubdx_window() returns, in its whole length of depth * max_io_bytes. Tag t has the
 * place at t * max_io_bytes. There the payload starts at desc->page_offset, which is 0 unless the
 * module parameter allow_partial_pages is set. If it is set, the server can also access the other
 * data in the first and the last page.
 *
 * Access to a place that holds no request raises SIGBUS. A forked child inherits the pages that are
 * mapped when the server forks; any other access by the child raises SIGBUS. When a request ends,
 * its pages are unmapped from every process. When the server's service has ended (-ENODEV), the
 * server finds blank pages in the places, so that an access doesn't kill a server that has not
 * noticed yet. The content of a READ's pages is undefined until the server writes them.
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
#define UBDX_DESC_FUA (1U << 0) /* WRITE: must be on stable storage before it ends */
#define UBDX_DESC_NOUNMAP (1U << 1) /* WRITE_ZEROES: don't deallocate */
#define UBDX_DESC_META (1U << 2) /* the submitter has marked it as metadata (REQ_META) */
#define UBDX_DESC_STAMP (1U << 3) /* stamp is valid: a tracepoint is enabled */

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
 * @stamp:	with UBDX_DESC_STAMP: when the driver began to deliver the request in the server's
 *		task (T2, UBDX_T_DELIVER); CLOCK_MONOTONIC, in ns.
 *
 * The driver writes the descriptor before the tag's command completes. The descriptor stays the
 * same until the commit. The server's mapping is read-only.
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
 * UBDX_CMD_ATTACH, struct ubdx_attach: bind the queue to the calling task and its ring. The command
 * stays parked. When the ring is torn down, io_uring cancels the command. So the driver notices
 * that the ring is gone.
 *
 * res:	-ENODEV		the server's service has ended (step 7 above)
 *	-EINVAL		no such queue, buf_base is too large, or a reserved field isn't zero
 *	-EBUSY		the queue has a task already
 *	-EPERM		another process opened the channel
 *	-EOPNOTSUPP	issued from io-wq (IOSQE_ASYNC)
 */
#define UBDX_CMD_ATTACH _IOW(0xBD, 0x42, struct ubdx_attach)

/*
 * UBDX_CMD_FETCH, struct ubdx_fetch: park a command for one tag.
 *
 * res:	0		a request is in descriptors[tag]
 *	-ENODEV		the server's service has ended (step 7 above)
 *	-EINVAL		no such queue or tag, or a reserved field isn't zero
 *	-EBUSY		the tag has been fetched already
 *	-EPERM		the queue belongs to another task or ring, or to none
 *	-EOPNOTSUPP	issued from io-wq (IOSQE_ASYNC)
 */
#define UBDX_CMD_FETCH _IOW(0xBD, 0x40, struct ubdx_fetch)

/*
 * UBDX_CMD_COMMIT_AND_FETCH, struct ubdx_commit: answer one request and park for the next.
 *
 * res: as for FETCH except -EBUSY; with UBDX_COMMIT_FORWARD those listed there; and
 *	-ESTALE		no request with this (tag, seq) is at the server: it was committed before,
 *			or aborted. The command is not parked.
 */
#define UBDX_CMD_COMMIT_AND_FETCH _IOW(0xBD, 0x41, struct ubdx_commit)

/*
 * Flags of a UBDX_CMD_COMMIT_AND_FETCH, in sqe->len. An unknown flag: -EINVAL.
 *
 * UBDX_COMMIT_MORE: another commit of this queue follows in the same submission. The driver can end
 * the request together with the next one, which is cheaper. The request ends at the latest when the
 * task leaves the submission, or sleeps in it.
 */
#define UBDX_COMMIT_MORE (1U << 0)

/*
 * UBDX_COMMIT_FORWARD, for a READ or WRITE of any mode: the server asks the driver to do the
 * request's I/O. sqe->addr is the byte offset in a registered file (UBDX_IOC_SET_FILE), whose index
 * is in sqe->len, from bit UBDX_COMMIT_FILE_SHIFT on. ubdx_commit.res is the number of bytes, from
 * the start of the request.
 *
 * UBDX_COMMIT_EXTENTS, with UBDX_COMMIT_FORWARD: the request has several extents. sqe->addr is the
 * address of an array of struct ubdx_extent, and ubdx_commit.res the number of its elements, at
 * most UBDX_MAX_EXTENTS. The first extent takes the first bytes of the request, and so on.
 *
 * The tag's command is parked at once, and the server need not keep anything of the request. The
 * I/O continues if the server dies. The I/O timeout doesn't apply to this I/O.
 *
 * If the answer covers fewer bytes than the request, or if a file ends early, the rest becomes a
 * new request. The request fails if the I/O fails, and if
 * - a file isn't registered, or isn't open for this direction, or can't be written;
 * - an extent has no bytes, or the extents have more than the request;
 * - an extent's file is a block device opened with O_DIRECT, and the extent's offset or length
 *   isn't a multiple of that device's logical block;
 * - the length of an extent other than the last isn't a multiple of this device's logical block;
 * - a WRITE to a regular file would exceed the server's RLIMIT_FSIZE;
 * - the request would fall back from mode FORWARD (UBDX_FALLBACK_UNALIGNED).
 * If memory is short, the block layer issues the request again a moment later.
 *
 * Further results of the command, after which the request is still at the server: -EBUSY the file
 * system of a file is frozen, or, in mode MAP, another thread is accessing the payload; -EFAULT or
 * -ENOMEM the array can't be read; -EINVAL the array has no or too many elements, or sqe->len also
 * has a file index.
 *
 * UBDX_COMMIT_KEEP, with UBDX_COMMIT_FORWARD: the driver may also keep the answer as extents, as MAP
 * with UBDX_EXTENT_READ; with UBDX_COMMIT_KEEP_WRITES, too, as MAP with UBDX_EXTENT_WRITE. The driver
 * does so a moment later, or not at all: not on a device without UBDX_F_EXTENTS or with a resolver; not if MAP
 * would refuse the extent, or if memory is short; and not if the request had come when extents were set
 * or revoked last. So an answer that a revocation has overtaken isn't kept. But a server
 * that moves sectors must not answer with KEEP for them from the REVOKE on until it names their new place.
 */
#define UBDX_COMMIT_FORWARD (1U << 1)
#define UBDX_COMMIT_EXTENTS (1U << 2)
#define UBDX_COMMIT_KEEP (1U << 3)
#define UBDX_COMMIT_KEEP_WRITES (1U << 4)
#define UBDX_COMMIT_FILE_SHIFT 16

#define UBDX_MAX_EXTENTS 64

/**
 * struct ubdx_extent - where some bytes of a request are, for UBDX_COMMIT_EXTENTS.
 * @offset:	byte offset in the file.
 * @bytes:	length; not 0.
 * @file:	index of the file.
 */
struct ubdx_extent {
	__u64 offset;
	__u32 bytes;
	__u32 file;
};

/**
 * struct ubdx_attach - payload of UBDX_CMD_ATTACH.
 * @qid:	queue.
 * @reserved0:	zero.
 * @buf_base:	UBDX_XFER_REGBUF: tag t uses index buf_base + t of the ring's buffer table.
 * @reserved:	zero.
 */
struct ubdx_attach {
	__u16 qid;
	__u16 reserved0;
	__u32 buf_base;
	__u64 reserved;
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
 *		negative errno. The number is rounded down to the logical block, and the rest of the
 *		request becomes a new request. 0, and a number above the request's length, fail the
 *		request with EIO. -ENOMEM: the block layer issues the request again a moment later.
 *		-EOPNOTSUPP for a DISCARD or WRITE_ZEROES: the block layer issues no more of them.
 *		Other operations: 0, or a negative errno.
 * @read_ns:	with UBDX_DESC_STAMP: ns from the descriptor's stamp (T2) to when the server read
 *		the descriptor (T3); 0 if the server has not measured that. For trace events only.
 */
struct ubdx_commit {
	__u32 seq;
	__u16 qid;
	__u16 tag;
	__s32 res;
	__u32 read_ns;
};

/* struct ubdx_params.attrs */
#define UBDX_ATTR_READ_ONLY (1U << 0) /* the server gets no WRITE, DISCARD or WRITE_ZEROES */
#define UBDX_ATTR_WRITE_CACHE (1U << 1) /* volatile cache: the server gets FLUSHes */
#define UBDX_ATTR_FUA (1U << 2) /* the server honours UBDX_DESC_FUA */
#define UBDX_ATTR_ROTATIONAL (1U << 3)
#define UBDX_ATTR_ALL ((1U << 4) - 1)

/*
 * What happens to the device when its server fails.
 *
 * UBDX_RECOVERY_FAIL: the block device is removed; requests fail with EIO.
 * UBDX_RECOVERY_QUEUE: the device is QUIESCED. Requests that the server has seen and not answered
 *	fail with EIO, because nobody can know how much of them the server has done. No request is
 *	served twice.
 * UBDX_RECOVERY_REISSUE: the device is QUIESCED. The next server also gets the requests that the
 *	failed server has seen and not answered. So such a request can be served twice, in whole or
 *	in part. Use this only with targets for which that makes no difference. No request fails.
 *
 * A request that fails when it is older than the I/O timeout ends with ETIMEDOUT, not EIO.
 *
 * Requests to a QUIESCED device wait, without a limit, until another server has opened the channel,
 * fetched every tag and called START, or until the device is stopped by force. If the process of
 * the failed server still lives, the driver kills it and every process that shares its memory: none
 * of them may write to the storage while the next server serves. START of the next server waits
 * until no process has that memory any more, and until the I/O that the failed server has forwarded
 * and the I/O in its extents have ended.
 */
enum ubdx_recovery {
	UBDX_RECOVERY_FAIL = 0,
	UBDX_RECOVERY_QUEUE = 1,
	UBDX_RECOVERY_REISSUE = 2,
};

/**
 * struct ubdx_params - parameters of a device. The caller of ADD sets them, and the driver fills in
 * the defaults. After ADD they never change.
 * @dev_sectors:	capacity; a multiple of the logical block.
 * @nr_queues:		1 … number of possible CPUs; 0: UBDX_DEFAULT_QUEUES.
 * @depth:		tags per queue, 1 … UBDX_MAX_DEPTH; 0: UBDX_DEFAULT_DEPTH. When memory is
 *		short, ADD returns a smaller number.
 * @max_io_bytes:	the longest request; a multiple of 4096,
 *			UBDX_MIN_IO_BYTES … UBDX_MAX_IO_BYTES, and at least a page; 0:
 *			UBDX_DEFAULT_IO_BYTES.
 * @timeout_ms:		the I/O timeout: how long the server may keep a request, 1000 … 86400000
 *			(a day); 0: 30 s. The driver checks once a second, and declares a late
 *			server dead. The disk's queue/io_timeout starts with this value. A smaller
 *			number there shortens the timeout; a larger one has no effect.
 * @logical_block_size:	512, 1024, 2048 or 4096; 0: 512.
 * @physical_block_size: power of two, at least the logical one; 0: 4096.
 * @io_min:		preferred minimum I/O size in bytes, at most the larger of max_io_bytes and
 *			physical_block_size; 0: physical_block_size.
 * @io_opt:		preferred I/O size in bytes; 0: none.
 * @discard_granularity: in bytes; 0: the logical block.
 * @max_discard_sectors: longest DISCARD, whole logical blocks, not less than discard_granularity or
 *		physical_block_size; 0: not supported.
 * @max_write_zeroes_sectors: longest WRITE_ZEROES, whole logical blocks; 0: not supported.
 * @dma_alignment:	alignment that direct I/O requires of memory, as a mask: 2^n - 1, at most
 *			4095; 0: 3 (four bytes).
 * @max_segments:	longest scatter list of a request; 0: max_io_bytes / 4096 + 1.
 * @max_segment_size:	longest physically contiguous piece in bytes, at least a page; 0: no limit.
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
 * Control ioctls. The file mode of the control node decides which users can open it. FEATURES, INFO
 * and GET_TARGET_INFO work on a descriptor that is open for reading; the others need one that is
 * open for writing, and otherwise fail with -EACCES.
 */

/**
 * struct ubdx_features - what this driver supports on this kernel (UBDX_IOC_FEATURES, out).
 * @version:		UBDX_VERSION of the driver.
 * @max_queues:		number of possible CPUs.
 * @max_depth:		UBDX_MAX_DEPTH.
 * @max_io_bytes:	UBDX_MAX_IO_BYTES.
 * @max_devices:	module parameter.
 * @nr_devices:		present number of devices.
 * @xfer_modes:		bit 1 << enum ubdx_xfer_mode for each mode that works on this kernel.
 * @features:		UBDX_F_* that ADD may ask for.
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
 * @features:	in: UBDX_F_* that the server relies on; an unknown one is -EOPNOTSUPP.
 * @xfer_modes:	in: bit mask of the modes that the server can serve. The driver must have one of
 *		them, else -EOPNOTSUPP. A mode that can't carry every request counts only if
 *		UBDX_XFER_USER is offered, too.
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
 * @id:		device. STOP and DEL on a channel: the channel's own device, else -EINVAL.
 * @flags:	STOP and DEL: 0 or one of UBDX_CTL_*. Other ioctls: zero.
 * @xfer_modes:	START of a QUIESCED device: the modes that its new server offers, as at ADD; 0:
 *		those that the last server offered. Other ioctls: zero.
 * @timeout_ms:	with UBDX_CTL_IN_USE: if the removal takes longer, requests fail as with
 *		UBDX_CTL_FORCE; 0: no limit. Without UBDX_CTL_IN_USE: zero. In a union with
 *		@xfer_modes.
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
 * The ways to STOP or DEL. A device is open while a program or a mounted file system uses its block
 * device or one of the partitions.
 *
 * 0: stop the device only if it isn't open; otherwise -EBUSY.
 *
 * UBDX_CTL_FORCE: stop the device at once, even if it is open. Requests that the server has not
 * answered fail with EIO, and dirty pages are lost. Another STOP or DEL that is waiting goes on at
 * once. The call waits for I/O that the server has forwarded, which can't be taken back.
 *
 * UBDX_CTL_IN_USE: stop the device in good order, even if it is open. New opens fail. The kernel
 * writes dirty pages back through the server, and shuts down the file systems on the device. Then
 * it removes the block device. -EBUSY if the device is open and has no server (UBDX_S_QUIESCED). If
 * the server fails meanwhile, the remaining dirty data is lost.
 *
 * UBDX_CTL_LAST_CLOSE: DEL only. If the device is open, it is marked (UBDX_INFO_STOPPING), and the
 * call returns -EINPROGRESS. The device can be used and opened as before, and is deleted at the
 * last close. The device does not recover any more (enum ubdx_recovery): if the server fails, the
 * device is dead. -EBUSY if the device is open and has no server.
 */
#define UBDX_CTL_FORCE (1U << 0)
#define UBDX_CTL_IN_USE (1U << 1)
#define UBDX_CTL_LAST_CLOSE (1U << 2)

/* struct ubdx_info.state */
enum ubdx_state {
	UBDX_S_ADDED = 0, /* no block device yet; waits for a server's START */
	UBDX_S_LIVE = 1, /* /dev/ubdxbN is there */
	UBDX_S_DEAD = 2, /* stopped, or its server failed; can only be deleted */
	UBDX_S_QUIESCED = 3, /* waits for its next server; see enum ubdx_recovery */
};

/**
 * struct ubdx_info - UBDX_IOC_INFO, in and out.
 * @id:		in: device. With UBDX_INFO_NEXT: the lowest id wanted. out: the device found.
 * @flags:	in: UBDX_INFO_NEXT: take the first device whose number is at least @id.
 * @state:	enum ubdx_state.
 * @server_pid:	the server's process in the caller's pid namespace; 0: none.
 * @xfer: the mode that new requests take.
 * @xfer_pinned: 1: set for this device; 0: follows the module parameter.
 * @xfer_wanted: the mode that was asked for last. It differs from @xfer if the server doesn't offer
 *		it.
 * @status:	out: UBDX_INFO_STOPPING: to be deleted at the last close, or being removed;
 *		UBDX_INFO_SCANNING: a partition scan that START has scheduled isn't over;
 *		UBDX_INFO_EXTENTS: the device was added with UBDX_F_EXTENTS.
 * @disk_major:	with @disk_minor the block device's number; 0:0 if there is none, because the device
 *		is neither LIVE nor QUIESCED.
 * @xfer_modes:	modes that the server offers and that the driver lets it use.
 * @params: the device's parameters, with the defaults filled in.
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
#define UBDX_INFO_EXTENTS (1U << 2)

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
 * struct ubdx_target_info - the server's description of what it serves. The driver keeps the
 * description and shows it in sysfs (ubdx/target, serial). The next server should compare its own
 * @target and @token with those of the device. The driver itself compares nothing.
 * @id:		device.
 * @reserved:	zero.
 * @token:	identifies the storage among targets of one kind, for example by device and inode
 *		number of a file.
 * @target:	kind of target: one printable ASCII word without / and \.
 * @serial: serial number of the block device: a word as above; "": none. It is shown in
 *		/sys/block/ubdxbN/serial if the first server has set one.
 * @text: name of the storage for people, such as a path. It can contain any byte: escape it before
 *		you print it.
 *
 * The strings end with a NUL. All fields but @id are zero until a server that has set them STARTs.
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
 * START: called by the server, when it has fetched every tag of every queue.
 * Errors: -ENODEV; -EINVAL @flags, or @xfer_modes of a device that isn't QUIESCED; -EPERM the
 * caller is not the server; -EBUSY the device was started already; -EAGAIN not every tag is
 * fetched, or the server opened the channel without CAP_SYS_ADMIN and a partition scan that began
 * under another server isn't over; -ENXIO the server has failed; -ETIME after ten seconds a failed
 * server that was killed has not exited, or I/O that it has forwarded or I/O in its extents has not
 * ended: try again; -EINTR; -ENOMEM; -EOPNOTSUPP the server offers no mode that it can use on this
 * kernel.
 */
#define UBDX_IOC_START _IOW(0xBD, 0x02, struct ubdx_ctl)
/*
 * STOP: remove the block device, see UBDX_CTL_*. Without UBDX_CTL_FORCE, dirty pages are written
 * back through the server first. Parked commands complete with -ENODEV. A queue's task must not
 * call STOP.
 * On the channel this ioctl stops the server's own device, and never a later device with the same
 * number: -EPERM if another process has opened the channel, -ENODEV if the caller isn't the
 * device's server any more. Errors: -ENODEV; -EINVAL; -EBUSY the device is open; -EINTR.
 */
#define UBDX_IOC_STOP _IOW(0xBD, 0x03, struct ubdx_ctl)
/*
 * DEL: STOP the device unless it is stopped, then delete it. On the channel as STOP. Errors: as
 * STOP, and -EINPROGRESS with UBDX_CTL_LAST_CLOSE.
 */
#define UBDX_IOC_DEL _IOW(0xBD, 0x04, struct ubdx_ctl)
#define UBDX_IOC_INFO _IOWR(0xBD, 0x05, struct ubdx_info)
#define UBDX_IOC_SET _IOW(0xBD, 0x06, struct ubdx_set)
/*
 * QUIESCE: the first half of a hand-over to another server. New requests wait. Those in flight must
 * end within the I/O timeout. When they have ended, the server's commands complete with -ENODEV,
 * and the device is QUIESCED. No request fails, and none is served twice.
 * Errors: -ENODEV the device isn't LIVE; -ESHUTDOWN it is to be deleted at its last close;
 * -EOPNOTSUPP its recovery is UBDX_RECOVERY_FAIL; -ETIME I/O is still in flight, at the server,
 * forwarded or in extents, and the server keeps the device; -ENXIO the server failed meanwhile:
 * requests may have been aborted (enum ubdx_recovery), and the device is QUIESCED, or about to be
 * removed if a forced STOP or DEL waits; -EINTR.
 */
#define UBDX_IOC_QUIESCE _IOW(0xBD, 0x07, struct ubdx_ctl)

/*
 * SET_TARGET_INFO: called by the server before START. At START the description becomes that of the
 * device. The device keeps it until the START of another server that has set one.
 * Errors: -ENODEV; -EINVAL a string has a wrong form, or @reserved isn't zero, or there is no
 * @target; -EPERM the caller is not the server; -EBUSY the device is LIVE; -ENOMEM; -EINTR.
 */
#define UBDX_IOC_SET_TARGET_INFO _IOW(0xBD, 0x08, struct ubdx_target_info)
/* GET_TARGET_INFO: in: @id; out: the rest. Errors: -ENODEV. */
#define UBDX_IOC_GET_TARGET_INFO _IOWR(0xBD, 0x09, struct ubdx_target_info)

#define UBDX_MAX_FILES 64

/**
 * struct ubdx_file - a file to which the driver can forward requests.
 * @index:	below UBDX_MAX_FILES.
 * @fd:		descriptor of a regular file or block device; -1: remove the file.
 * @reserved:	zero.
 */
struct ubdx_file {
	__u32 index;
	__s32 fd;
	__u64 reserved;
};

/*
 * SET_FILE, on the channel: register a file, replace it, or remove it, for UBDX_COMMIT_FORWARD and
 * UBDX_IOC_MAP. It can be called at any time before the server's service ends. I/O in flight
 * continues on the old file. When a file has been replaced or removed, or the server's service has
 * ended, the driver closes the file as soon as no I/O on it is in flight.
 *
 * If a block device was opened with O_DIRECT, the I/O bypasses its page cache. The server should
 * open it with O_EXCL. If a file was opened with O_DSYNC, each WRITE is stable when it ends.
 *
 * Errors: -EPERM the caller is not the server, or had no CAP_SYS_ADMIN when it opened the channel;
 * -EINVAL no such index; or a file of another type, or one opened with O_APPEND or marked
 * append-only; or a block device that is zoned or has integrity data, or whose logical block, or
 * the alignment that it needs of memory, is larger than this device's logical block; -EBADF; -ELOOP
 * the file is the device itself, or on it; -ENOENT there is nothing to remove; -ENODEV the server's
 * service has ended; -ENOMEM.
 */
#define UBDX_IOC_SET_FILE _IOW(0xBD, 0x0a, struct ubdx_file)

/* ---- extents ---- */

/*
 * A feature of ADD: the server can leave extents of the device with the driver (UBDX_IOC_MAP). A
 * READ or WRITE that lies in one extent then normally goes to the extent's file, and doesn't come to
 * the server. If the file is a block device that the server has opened with O_DIRECT, this happens in
 * the submitter's context; any other file is read and written by a worker. Everything else comes to
 * the server, which must still be able to serve each READ and WRITE.
 *
 * The requests that come to the server are those of a hidden disk, ubdxhN. This disk has
 * queue/io_timeout and queue/scheduler; ubdxbN has neither.
 */
#define UBDX_F_EXTENTS (1ULL << 0)

#define UBDX_EXTENT_READ (1U << 0)
#define UBDX_EXTENT_WRITE (1U << 1)
/* Only with UBDX_EXTENT_READ: READs return zeroes. @file and @offset are 0. */
#define UBDX_EXTENT_HOLE (1U << 2)
#define UBDX_EXTENT_FLAGS (UBDX_EXTENT_READ | UBDX_EXTENT_WRITE | UBDX_EXTENT_HOLE)

#define UBDX_MAX_MAP_EXTENTS (1U << 20)

/**
 * struct ubdx_map_extent - sectors of the device, and where they are.
 * @sector:	first sector; a multiple of the logical block.
 * @nr_sectors:	number; a multiple of the logical block.
 * @offset:	byte offset in the file; a multiple of the logical block.
 * @file:	index of the file (UBDX_IOC_SET_FILE).
 * @flags:	UBDX_EXTENT_*: the directions in which the extent can be used.
 * @reserved:	zero.
 */
struct ubdx_map_extent {
	__u64 sector;
	__u64 nr_sectors;
	__u64 offset;
	__u16 file;
	__u16 flags;
	__u32 reserved;
};

/**
 * struct ubdx_map_args - payload of UBDX_IOC_MAP.
 * @addr:	address of an array of struct ubdx_map_extent, in any order.
 * @nr:		number of elements.
 * @reserved:	zero.
 */
struct ubdx_map_args {
	__u64 addr;
	__u32 nr;
	__u32 reserved;
};

/*
 * MAP, on the channel, after START: leave extents with the driver. They replace earlier extents of
 * the same sectors. The driver revokes all extents of the device when a file that has some is
 * replaced or removed, at QUIESCE, and when the server ends. This includes the extents of a
 * concurrent MAP.
 *
 * Before the server moves the data of an extent or changes where the extent is, it must REVOKE the
 * extent with UBDX_REVOKE_DRAIN. The server doesn't see the READs and WRITEs that use an extent,
 * FUA WRITEs included. So before it MAPs an extent for WRITEs, the server must have stored durably
 * where the extent is. If the file's device has a volatile write cache, either this device must
 * have UBDX_ATTR_WRITE_CACHE, and the server must flush the file when it gets a FLUSH; or the file
 * must have been opened with O_DSYNC. The server must flush a file before it removes the file. I/O
 * errors of the file go to the submitter. I/O beyond the end of a file that has become shorter comes to
 * the server, and so does a WRITE to a frozen file system. The I/O timeout doesn't apply.
 *
 * Errors: -EAGAIN the server has not started; -EOPNOTSUPP the device has no UBDX_F_EXTENTS; -EPERM as
 * for SET_FILE; -EINVAL an invalid field, extents that overlap, or an extent beyond the file's end, or
 * for WRITEs beyond the RLIMIT_FSIZE with which the file was registered; -EFAULT; -EBADF no such file, or
 * it isn't open for this direction; -ELOOP the file is a disk with extents itself; -ENOSPC the
 * device would have more than UBDX_MAX_MAP_EXTENTS; -EBUSY the device has a resolver
 * (ubdx_resolver.h); -ENODEV the server is dead, or being replaced; -ENOMEM. After an error nothing
 * has changed.
 */
#define UBDX_IOC_MAP _IOW(0xBD, 0x0b, struct ubdx_map_args)

/* Also wait until all earlier I/O that used any extent of the device has ended. */
#define UBDX_REVOKE_DRAIN (1U << 0)

/**
 * struct ubdx_revoke - payload of UBDX_IOC_REVOKE.
 * @sector:	first sector; a multiple of the logical block.
 * @nr_sectors:	number; a multiple of the logical block, not 0.
 * @flags:	UBDX_REVOKE_*.
 * @reserved:	zero.
 */
struct ubdx_revoke {
	__u64 sector;
	__u64 nr_sectors;
	__u32 flags;
	__u32 reserved;
};

/*
 * REVOKE, on the channel: take these sectors out of the extents. When the call returns, new I/O on
 * the sectors comes to the server. Without UBDX_REVOKE_DRAIN, I/O that began before can still be
 * under way: a WRITE can still reach the old place. If memory is short, all extents are revoked.
 *
 * If the device has a resolver (ubdx_resolver.h), the resolver still answers for the sectors, but
 * UBDX_REVOKE_DRAIN waits for all I/O that used an earlier answer. If memory is short, the device
 * loses its resolver.
 *
 * Errors: -EPERM the caller is not the server; -EOPNOTSUPP the device has no UBDX_F_EXTENTS;
 * -EINVAL; -ENODEV the server is dead, or being replaced: all its extents are revoked; -EINTR the
 * sectors are revoked, but I/O that began before can still be under way.
 */
#define UBDX_IOC_REVOKE _IOW(0xBD, 0x0c, struct ubdx_revoke)

/**
 * struct ubdx_revoke_cmd - payload of UBDX_CMD_REVOKE.
 * @sector:	as in struct ubdx_revoke.
 * @nr_sectors:	as in struct ubdx_revoke.
 *
 * UBDX_REVOKE_* flags are in sqe->len.
 */
struct ubdx_revoke_cmd {
	__u64 sector;
	__u64 nr_sectors;
};

/*
 * UBDX_CMD_REVOKE, on the channel, from any ring of the server's process: as UBDX_IOC_REVOKE, but the
 * caller doesn't wait. res: 0, or the errors of UBDX_IOC_REVOKE. It runs in a worker of io_uring (io-wq).
 * Until it completes, the extents may still be used.
 */
#define UBDX_CMD_REVOKE _IOW(0xBD, 0x43, struct ubdx_revoke_cmd)

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
UBDX_ASSERT_SIZE(struct ubdx_extent, 16);
UBDX_ASSERT_SIZE(struct ubdx_file, 16);
UBDX_ASSERT_SIZE(struct ubdx_map_extent, 32);
UBDX_ASSERT_SIZE(struct ubdx_map_args, 16);
UBDX_ASSERT_SIZE(struct ubdx_revoke, 24);
UBDX_ASSERT_SIZE(struct ubdx_params, 96);
UBDX_ASSERT_SIZE(struct ubdx_features, 64);
UBDX_ASSERT_SIZE(struct ubdx_add, 128);
UBDX_ASSERT_SIZE(struct ubdx_ctl, 16);
UBDX_ASSERT_SIZE(struct ubdx_info, 176);
UBDX_ASSERT_SIZE(struct ubdx_set, 16);
UBDX_ASSERT_SIZE(struct ubdx_target_info, 328);

#endif /* _UAPI_UBDX_H */
