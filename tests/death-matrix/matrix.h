/* SPDX-License-Identifier: GPL-2.0 */
/*
 * matrix.h - the death matrix: stage of a request x way to die x transfer mode. matrix.c explains a
 * cell.
 *
 * Each cell has a device, and a server and a client in processes of their own. These two and the
 * cell communicate through a struct shared.
 */
#ifndef UBDX_MATRIX_H
#define UBDX_MATRIX_H

#include <stdatomic.h>

#include "halves.h"
#include "raw.h"

#define QUEUES 2
#define LOADERS 4

/* The places of the subject, the bait and the load in the device, away from the partition scan. */
#define SUBJECT_SECTOR 4096
#define BAIT_SECTOR 5120
#define LOAD_SECTOR 8192
#define LOAD_SECTORS 32768
#define SUBJECT_BYTES (64U << 10)

#define HOLD_NONE UINT64_MAX

/* The same order as enum ubdx_stage. */
enum stage { T0, T1, T2, T3, T4, T5, T6, T7, NR_STAGES };

/* What a server does to the load, for death.c. */
enum trick {
	NO_TRICK,
	HOLD_LOAD, /* the server answers no request of the load */
	/* page faults on its buffers are never resolved: the driver's copies wait (userfaultfd) */
	BUFFERS_STUCK,
	/* after 100 requests a queue's thread waits in a page fault, with its ring locked */
	RING_STUCK,
};

struct shared {
	/* set by the cell */
	int id; /* of the device */
	const struct mode *mode;
	uint32_t timeout_ms;
	uint32_t recovery;
	bool forks; /* a child of the server has everything open as well */
	_Atomic uint64_t hold; /* a queue's thread waits when it gets a request for this sector */
	atomic_int go; /* ... until this is set */
	enum trick trick;
	bool no_start; /* the server doesn't call START */
	/* no load; the subject is a read-ahead, and the client closes the device during it */
	bool no_load;
	bool subject_writes;
	atomic_int start_bait, start_subject, stop_load;

	/* set by the server */
	atomic_int server_ready; /* 1, or -errno */
	atomic_int server_tid[QUEUES];
	pid_t child;
	atomic_int held; /* requests that the server holds */
	atomic_int told; /* queues that have learnt that the device is gone */
	atomic_int wrong_in; /* WRITEs whose payload was not what the client wrote */

	/* set by the client */
	atomic_int client_ready;
	unsigned int qid; /* of the subject */
	atomic_int subject_tid;
	atomic_int subject_ended, subject_error;
	atomic_int bait_ended, bait_error;
	atomic_long load_ios;
	atomic_int loaders; /* threads that still make load */
	atomic_int load_failed[LOADERS]; /* errno */
	atomic_int wrong_out; /* READs whose payload was not what the server served */
};

/* The content of a sector, whoever writes or serves it. */
void pattern_fill(char *buf, uint64_t sector, size_t bytes);
bool pattern_good(const char *buf, uint64_t sector, size_t bytes);

/*
 * Only the subject and the bait run on the last CPU: while the subject is held in queue_rq, nothing
 * else can run there. cpus_but_last() returns the number of other CPUs, which is the last CPU's
 * number, too.
 */
int cpus_but_last(void);
void run_on(int cpu);
void run_elsewhere(void);

/*
 * Each is the main function of a process, and doesn't return. @recovers: take over from a server
 * that is gone.
 */
void server_main(struct shared *sh, bool recovers);
void client_main(struct shared *sh);

#endif /* UBDX_MATRIX_H */
