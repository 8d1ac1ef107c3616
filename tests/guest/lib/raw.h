/* SPDX-License-Identifier: GPL-2.0 */
/*
 * raw.h - a server on the bare UAPI, for tests that must break the rules that libubdx keeps.
 *
 * A struct raw is one device, by default with one queue. raw_queue_init() sets up the server's side
 * of a queue. raw_serve() answers requests with a function until the device is gone. A function
 * that returns int returns 0 or -errno, unless its comment says otherwise.
 */
#ifndef UBDX_RAW_H
#define UBDX_RAW_H

#include <liburing.h>
#include <poll.h>
#include <pthread.h>
#include <stdatomic.h>
#include <stdbool.h>
#include <stdint.h>

#include "ubdx.h"

#define RAW_BUF_BYTES (256U << 10) /* size of a tag's buffer, and default of max_io_bytes */
#define RAW_NR_XFER (UBDX_XFER_FORWARD + 1)

struct raw {
	int ctl;
	int chan;
	struct ubdx_add add;
	char path[32]; /* /dev/ubdxbN */
	unsigned int ring_flags; /* IORING_SETUP_* of its queues' rings */
};

struct raw_queue {
	struct raw *raw;
	unsigned int qid;
	unsigned int depth;
	struct io_uring ring;
	const struct ubdx_desc *desc;
	size_t desc_bytes;
	char *buf; /* depth * RAW_BUF_BYTES */
	unsigned int commit_flags; /* of raw_serve()'s commits: UBDX_COMMIT_* */
	unsigned int nr_now; /* the number of raw_*() calls that have waited for a result */
	int backlog[UBDX_MAX_DEPTH]; /* results of other commands that came meanwhile */
	unsigned int nr_backlog;
};

/* What to answer: res as in struct ubdx_commit, or RAW_HOLD to keep the request. */
#define RAW_HOLD INT32_MIN
typedef int32_t (*raw_answer)(struct raw_queue *q, const struct ubdx_desc *desc, char *buf);

/* Parameters of a small device. A test can change them before raw_add(). */
void raw_defaults(struct raw *raw);
int raw_add(struct raw *raw);
uint64_t raw_modes(void); /* the driver's modes on this kernel: bits 1 << mode */
int raw_open(struct raw *raw);
int raw_ctl(const struct raw *raw, unsigned long cmd, unsigned int flags);
int raw_own(const struct raw *raw, unsigned long cmd, unsigned int flags); /* on the channel */
/* Is the partition scan after START still under way? Bails out if INFO fails. */
bool raw_scanning(const struct raw *raw);
int raw_info(const struct raw *raw, struct ubdx_info *info);

int raw_queue_init(struct raw *raw, struct raw_queue *q, unsigned int qid);
int raw_fetch_all(struct raw_queue *q);
void raw_queue_exit(struct raw_queue *q);

/* Issue one command. Returns its result, or -EINPROGRESS if it is parked. */
int raw_attach(struct raw_queue *q, unsigned int qid, unsigned int reserved);
int raw_fetch(struct raw_queue *q, unsigned int qid, unsigned int tag, void *addr,
	      unsigned int reserved, unsigned int sqe_flags);
int raw_commit(struct raw_queue *q, unsigned int qid, unsigned int tag, uint32_t seq, int32_t res,
	       unsigned int flags);
int raw_forward(struct raw_queue *q, unsigned int qid, unsigned int tag, uint32_t seq, int32_t res,
		unsigned int flags, uint64_t addr); /* as raw_commit(), with sqe->addr */

/*
 * A commit that is submitted together with the next command. Its command completes when the tag's
 * next request comes.
 */
void raw_commit_later(struct raw_queue *q, unsigned int tag, uint32_t seq, int32_t res,
		      unsigned int flags);

/* The next request's tag, or a command's error: -ENODEV when the device is gone. */
int raw_next(struct raw_queue *q);

/* Answer until the device is gone. Returns the number of requests answered. */
long raw_serve(struct raw_queue *q, raw_answer answer);

/* A device that is live, with a thread that serves it. */
struct raw_server {
	struct raw raw;
	struct raw_queue queue;
	pthread_t thread;
	raw_answer answer;
	int ready; /* 0 or -errno, once the barrier was passed */
	pthread_barrier_t barrier;
};
void raw_server_begin(struct raw_server *s, raw_answer answer); /* without START */
void raw_server_start(struct raw_server *s, raw_answer answer); /* bails out if it can't */
void raw_server_stop(struct raw_server *s); /* forced DEL, join */

/* Open the block device with O_DIRECT, as soon as its node is there. Returns the descriptor. */
int raw_bdev(const struct raw *raw, int flags);
/* Zeroed memory that is aligned for O_DIRECT. */
void *raw_mem(size_t bytes);
/*
 * A thread that touches this memory from now on waits until we provide it. Returns a userfaultfd,
 * or -1.
 */
int raw_userfault(void *mem, size_t bytes);
/* As raw_userfault(), but the memory is never provided. Returns true on failure. */
bool raw_never_provide(void *mem, size_t bytes);
bool raw_gone(const struct raw *raw,
	      unsigned int seconds); /* waits until the block device's node is gone */
double raw_slow(void); /* how many times longer things take on this machine, from $SLOW */
double raw_now(void); /* seconds, divided by raw_slow(): for time limits */

/*
 * Wait until the condition holds, but at most this many seconds (of raw_now()). Returns whether it
 * holds. The condition is evaluated again and again.
 */
#define within(seconds, condition)                                            \
	({                                                                    \
		double within_end = raw_now() + (seconds);                    \
		bool within_met;                                              \
		while (!(within_met = (condition)) && raw_now() < within_end) \
			poll(NULL, 0, 1);                                     \
		within_met;                                                   \
	})

#endif /* UBDX_RAW_H */
