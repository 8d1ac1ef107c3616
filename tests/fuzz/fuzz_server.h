/* SPDX-License-Identifier: GPL-2.0 */
/*
 * fuzz_server.h - what fuzz_server.c, fuzz_command.c, fuzz_payload.c, fuzz_file.c and
 * fuzz_memory.c share: a server's devices and queues.
 */
#ifndef UBDX_FUZZ_SERVER_H
#define UBDX_FUZZ_SERVER_H

#include <liburing.h>
#include <pthread.h>

#include "fuzz.h"

#define MAX_QUEUES 2
#define MAX_HELD 256 /* requests beyond that are never answered */

/* user_data of what isn't a tag's command */
#define NO_TAG 0x10000
#define MUST_FAIL 0x10001
#define ACCESS 0x10002 /* to a payload: its result is a number of bytes */

struct queue {
	struct server *s;
	unsigned int qid, depth;
	bool has_ring, threaded;
	struct io_uring ring;
	const struct ubdx_desc *desc; /* NULL: not mapped */
	size_t desc_bytes;
	uint16_t held[MAX_HELD]; /* tags whose requests this server has */
	unsigned int nr_held;
	unsigned int nr_answers; /* completions that bring no request, other than -ENODEV */
	unsigned int nr_reached; /* accesses that moved bytes */
	pthread_t thread;
	struct rng rng; /* the thread's */
};

struct server {
	int ctl, chan; /* chan -1: no device */
	struct ubdx_add add;
	unsigned int nr_queues;
	struct queue q[MAX_QUEUES];
	bool has_file; /* has registered one, and perhaps removed it */
	atomic_bool leave; /* the threads of its queues must end */
	atomic_bool gone; /* a command has completed with -ENODEV */
};

extern struct server fuzz_servers[2];

/* A queue that the caller serves, or NULL. Before it returns NULL, this may set up a device. */
struct queue *fuzz_some_queue(struct actor *a);
struct server *fuzz_other_server(struct server *s);

/* ---- fuzz_command.c ---- */

void fuzz_ring_start(struct queue *q, struct rng *rng);
void fuzz_ring_end(struct queue *q);
void fuzz_attach(struct queue *q, unsigned int qid);
void fuzz_fetch(struct queue *q, unsigned int qid, unsigned int tag, uint64_t addr);
struct io_uring_sqe *fuzz_commit(struct queue *q, struct ubdx_commit commit);
/* Submit, wait a moment, and note which tags have come to us. */
void fuzz_reap(struct queue *q, unsigned int ms);
void fuzz_try(struct actor *a, struct queue *q, unsigned int ms);
/* The answer of a good server. */
struct ubdx_commit fuzz_right(struct queue *q, unsigned int tag);
struct io_uring_sqe *fuzz_sqe(struct queue *q);
/* Answer all held requests as a good server does. Returns how many there were. */
unsigned int fuzz_serve(struct queue *q);
void act_serve(struct actor *a);
void act_commit(struct actor *a);
void act_more(struct actor *a);
void act_attach(struct actor *a);
void act_fetch(struct actor *a);
void act_sqe(struct actor *a);
void act_opcode(struct actor *a);
void act_cancel(struct actor *a);
void act_stranger(struct actor *a);
void act_foreign(struct actor *a);

/* ---- fuzz_payload.c ---- */

void fuzz_reach(struct queue *q, unsigned int tag, struct rng *rng);
void act_access(struct actor *a);
void act_splice(struct actor *a);
void act_window(struct actor *a);

/* ---- fuzz_file.c ---- */

void act_file(struct actor *a);
void act_forward(struct actor *a);
void act_extents(struct actor *a);
void act_revoke(struct actor *a);

/* ---- fuzz_memory.c ---- */

void fuzz_memory_init(void);
void fuzz_map_desc(struct queue *q);
void fuzz_unmap_desc(struct queue *q);
/* Returns an address in memory that is good, bad, or changes. */
void *fuzz_area(struct actor *a);
bool fuzz_touch(volatile char *p, bool write);
/* The address of a tag's buffer, a bad one @bad times in a hundred. */
uint64_t fuzz_buffer(struct queue *q, unsigned int tag, unsigned int bad, struct rng *rng);
void act_desc(struct actor *a);
void act_memory(struct actor *a);

#endif /* UBDX_FUZZ_SERVER_H */
