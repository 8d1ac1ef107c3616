/* SPDX-License-Identifier: GPL-2.0 */
/*
 * held.h - a server that can hold the requests for one place, and what tests of the server's end
 * need: clients that read from there, the device's state, and the end of the server's process.
 */
#ifndef UBDX_HELD_H
#define UBDX_HELD_H

#include <stdatomic.h>
#include <sys/types.h>

#include "raw.h"

#define AT (1 << 20) /* far from what a partition scan reads */

extern atomic_bool holds; /* requests for AT are held, not answered */
extern atomic_int held; /* the number of requests held */

/* A raw_answer: success, or RAW_HOLD. */
int32_t hold_or_answer(struct raw_queue *q, const struct ubdx_desc *desc, char *buf);

/* A thread that reads from AT. */
struct reader {
	pthread_t thread;
	int fd, error;
	atomic_int ended;
};

void reader_start(struct reader *r, const struct raw *raw);
void *reader_main(void *arg);

/*
 * Wait until the device is QUIESCED. Returns its state then, or when the time is over. Bails out if
 * there is no such device.
 */
uint32_t state_without_server(const struct raw *raw, unsigned int seconds);

/* Has SIGKILL ended this child? Waits up to ten seconds for the child's end. */
bool killed(pid_t pid);

#endif /* UBDX_HELD_H */
