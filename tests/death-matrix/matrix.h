/* SPDX-License-Identifier: GPL-2.0 */
/*
 * matrix.h - the death matrix: stage of a request x way to die x transfer mode. See matrix.c for how a cell goes.
 *
 * A cell has a server and a client, each a process of its own, on a device of its own. What they tell each
 * other and the cell is in a struct shared.
 */
#ifndef UBDX_MATRIX_H
#define UBDX_MATRIX_H

#include <stdatomic.h>

#include "halves.h"
#include "raw.h"

#define QUEUES 2
#define LOADERS 4

/* Where in the device the subject is, its bait, and the load; the partition scan is elsewhere. */
#define SUBJECT_SECTOR 4096
#define BAIT_SECTOR 5120
#define LOAD_SECTOR 8192
#define LOAD_SECTORS 32768
#define SUBJECT_BYTES (64U << 10)

#define HOLD_NONE UINT64_MAX

/* In the order of enum ubdx_stage. */
enum stage { T0, T1, T2, T3, T4, T5, T6, T7, NR_STAGES };

struct shared {
	/* orders */
	int id; /* of the device */
	const struct mode *mode;
	uint32_t timeout_ms;
	uint32_t recovery;
	bool forks; /* a child of the server has all that it has */
	_Atomic uint64_t hold; /* the queue's thread stops when it gets the request of this sector */
	atomic_int go; /* ... until this says so */
	bool no_load; /* nobody has the device open when the subject is under way */
	bool subject_writes;
	atomic_int start_bait, start_subject, stop_load;

	/* the server's */
	atomic_int server_ready; /* 1, or -errno */
	atomic_int server_tid[QUEUES];
	pid_t child;
	atomic_int held;
	atomic_int told; /* queues that know that the device is gone */
	atomic_int wrong_in; /* WRITEs whose payload was not what the client wrote */

	/* the client's */
	atomic_int client_ready;
	unsigned int qid; /* of the subject */
	atomic_int subject_tid;
	atomic_int subject_ended, subject_error;
	atomic_int bait_ended, bait_error;
	atomic_long load_ios;
	atomic_int loaders; /* that are still at it */
	atomic_int load_failed[LOADERS]; /* errno */
	atomic_int wrong_out; /* READs whose payload was not what the server served */
};

/* What a sector holds, wherever it comes from. */
void pattern_fill(char *buf, uint64_t sector, size_t bytes);
bool pattern_good(const char *buf, uint64_t sector, size_t bytes);

/*
 * The subject has the last CPU for itself: where it is stopped in queue_rq nothing else gets on there.
 * Returns the number of the others, which is that CPU's.
 */
int cpus_but_last(void);
void run_on(int cpu);
void run_elsewhere(void);

/* Of the process that calls them; they don't return. @recovers: take over from a server that is gone. */
void server_main(struct shared *sh, bool recovers);
void client_main(struct shared *sh);

#endif /* UBDX_MATRIX_H */
