/* SPDX-License-Identifier: GPL-2.0 */
/*
 * compat.h - what differs between the kernels that the driver is built for. Kbuild looks in the
 * headers for the feature, not at the version: distributions backport.
 */
#ifndef UBDX_COMPAT_H
#define UBDX_COMPAT_H

#include <linux/blk-mq.h>
#include <linux/io_uring/cmd.h>
#include <linux/sysfs.h>

/* Newer kernels merge on every queue, and have no flag for it. */
#ifdef UBDX_HAVE_SHOULD_MERGE
#define UBDX_MQ_F_SHOULD_MERGE BLK_MQ_F_SHOULD_MERGE
#else
#define UBDX_MQ_F_SHOULD_MERGE 0
#endif

/* io_uring_cmd_done() lost its res2 argument. The caller must not touch the command after this. */
static inline void ubdx_cmd_done(struct io_uring_cmd *cmd, int res, unsigned int issue_flags)
{
#ifdef UBDX_HAVE_CMD_DONE_RES2
	io_uring_cmd_done(cmd, res, 0, issue_flags);
#else
	io_uring_cmd_done(cmd, res, issue_flags);
#endif
}

/*
 * UBDX_TASK_WORK(name): defines name_tw(UBDX_TW_ARGS), a task work callback for
 * io_uring_cmd_complete_in_task(). The callback calls name(cmd, issue_flags, cancel). cancel: the
 * command's task or ring is going away.
 */
/* clang-format off */
#ifdef UBDX_HAVE_TW_TOKEN
#define UBDX_TW_ARGS struct io_tw_req tw_req, io_tw_token_t tw
#define UBDX_TASK_WORK(name)								\
static void name##_tw(UBDX_TW_ARGS)							\
{											\
	name(io_uring_cmd_from_tw(tw_req), IO_URING_CMD_TASK_WORK_ISSUE_FLAGS, tw.cancel); \
}
#else
#define UBDX_TW_ARGS struct io_uring_cmd *cmd, unsigned int issue_flags
#define UBDX_TASK_WORK(name)								\
static void name##_tw(UBDX_TW_ARGS)							\
{											\
	name(cmd, issue_flags & ~IO_URING_F_TASK_DEAD,					\
	     issue_flags & IO_URING_F_TASK_DEAD);					\
}
#endif
/* clang-format on */

/* Newer kernels pass a binary attribute of sysfs as const. */
#ifdef UBDX_HAVE_CONST_BIN_ATTR
typedef const struct bin_attribute ubdx_bin_attribute;
#else
typedef struct bin_attribute ubdx_bin_attribute;
#endif

/* The ring that a command was submitted to; for comparison only. */
static inline void *ubdx_cmd_ctx(struct io_uring_cmd *cmd)
{
	return cmd_to_io_kiocb(cmd)->ctx;
}

/* The tail of the ring's completion queue. It moves when io_uring makes completions visible. */
static inline u32 ubdx_cmd_cq_tail(struct io_uring_cmd *cmd)
{
	return READ_ONCE(cmd_to_io_kiocb(cmd)->ctx->cached_cq_tail);
}

/* False: all segments of the request join at page boundaries. Newer kernels record the gaps. */
static inline bool ubdx_rq_may_have_gaps(const struct request *rq)
{
#ifdef UBDX_HAVE_PHYS_GAP
	return req_phys_gap_mask(rq) & ~PAGE_MASK;
#else
	return rq->nr_phys_segments > 1;
#endif
}

/*
 * Is the page part of a large kmalloc()? Newer kernels forbid references to those, as to slab
 * pages.
 */
static inline bool ubdx_page_is_kmalloc(struct page *page)
{
#ifdef UBDX_HAVE_LARGE_KMALLOC
	return folio_test_large_kmalloc(page_folio(page));
#else
	return false;
#endif
}

#endif /* UBDX_COMPAT_H */
