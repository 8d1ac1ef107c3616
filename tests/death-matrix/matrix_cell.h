/* SPDX-License-Identifier: GPL-2.0 */
/*
 * matrix_cell.h - one cell of the death matrix, see matrix.c.
 */
#ifndef UBDX_MATRIX_CELL_H
#define UBDX_MATRIX_CELL_H

#include <poll.h>

#include "matrix.h"

enum end {
	KILLED,
	THREAD_EXITS,
	RING_CLOSED,
	FORK_EXITS,
	STOPPED,
	/* from here on: the server continues when the subject is released */
	FIRST_TO_LIVE,
	DELETED = FIRST_TO_LIVE,
	DELETED_OPEN,
	DELETED_FORCED,
	UNLOADED,
	CLIENT_KILLED,
	STUCK,
};

struct way {
	const char *name;
	enum end end;
	int subject[NR_STAGES]; /* how the subject ends: 0, the errno, or -errno: that errno or 0 */
	const char *never; /* the stage at which this way is impossible */
	const char *because;
	unsigned int recovery; /* enum ubdx_recovery; unless it is FAIL, another server follows */
};

/*
 * Run the cell on device number @id, which no other cell uses meanwhile. @complaints: what went
 * wrong, as lines of TAP comment; empty if the cell is right.
 */
void cell_run(const struct mode *mode, enum stage stage, const struct way *way, int id,
	      char *complaints, size_t size);

#define LIMIT 10 /* the most seconds that anything may take */

struct cell {
	enum stage stage;
	const struct way *way;
	struct shared *sh;
	struct raw raw; /* for control */
	pid_t server, client;
	char *complaints;
	size_t room;

	pthread_t deleter; /* a thread, because DEL waits for requests under way */
	unsigned int del_flags;
	atomic_int deleted; /* 1: DEL has returned */
	int del_ret;
};

/* Complain unless @good, which is returned. */
bool __attribute__((format(printf, 3, 4))) want(struct cell *c, bool good, const char *fmt, ...);

/* Does ubdx_pause.ko hold the subject at that stage? False at T1 and T3, see matrix.c. */
bool in_driver(enum stage stage);
void __attribute__((format(printf, 2, 3))) pause_write(struct cell *c, const char *fmt, ...);
bool pause_is(struct cell *c, const char *state);

/* The server has been declared dead; requests may still be under way. */
bool declared_dead(struct cell *c);
/* Is the task in one of these states? A task that is gone is in none. */
bool task_is(pid_t pid, pid_t tid, const char *states);
/* The thread has a pending SIGKILL. */
bool task_is_killed(pid_t pid, pid_t tid);
/*
 * The subject's thread sleeps in the kernel (state D). It can only be waiting for its request, so
 * the request has been published.
 */
bool subject_waits(struct cell *c);
unsigned int state_of(struct cell *c); /* enum ubdx_state */
bool exited(pid_t pid, int *status);

#endif /* UBDX_MATRIX_CELL_H */
