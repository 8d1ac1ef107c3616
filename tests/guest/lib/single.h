/* SPDX-License-Identifier: GPL-2.0 */
/*
 * single.h - a device whose server is the thread that calls these, and clients that are threads of one
 * READ or WRITE each. For tests of what can be done to one request while it is at the server.
 *
 * One device at a time, with one queue. What a test needs beyond its properties bails out if it fails.
 */
#ifndef UBDX_SINGLE_H
#define UBDX_SINGLE_H

#include <stdatomic.h>
#include <sys/types.h>

#include "raw.h"

#define BYTES (64U << 10)
#define MAX_IO RAW_BUF_BYTES

extern struct raw raw;
extern struct raw_queue q;
extern int bdev;

int neg(long ret); /* of a system call: its result, or -errno */

/* ---- the device ---- */

/* A device that is live, after its partition scan, in a mode. raw.add.params.recovery is @recovery. */
void begin(unsigned int mode, unsigned int timeout_ms, unsigned int recovery);
int end(void); /* delete it by force: 0 or -errno */
void set_mode(unsigned int mode);
void serve_scan(void); /* all that is asked for until nothing more comes */
/* Of /sys/block/ubdxbN/ubdx/moved. */
long moved(const char *what);
/* A parameter of the module. */
void set_parameter(const char *name, const char *value);

/* ---- clients ---- */

struct client {
	pthread_t thread;
	bool write;
	char *mem;
	size_t bytes;
	off_t at;
	atomic_int done;
	int ret;
};

void client_start(struct client *c, bool write, char *mem, size_t bytes, off_t at);
/* Start it; returns its request's descriptor, which is at the server. */
const struct ubdx_desc *client(struct client *c, bool write, char *mem, size_t bytes);
bool client_waits(struct client *c);
int client_end(struct client *c);

/* ---- the server's side of a request ---- */

int commit(const struct ubdx_desc *d, int res);
/* Commit, for a client that ends by it. */
int finish(struct client *c, const struct ubdx_desc *d, int res);
off_t pos(const struct ubdx_desc *d, unsigned int offset);

/* ---- windows ---- */

extern char *window[2]; /* by op */
extern size_t window_bytes;

/* Map both. From then on SIGBUS is look()'s. */
void open_windows(void);
void close_windows(void);
char *place(const struct ubdx_desc *d);
/* The byte there, or -1: SIGBUS. */
int look(const volatile char *p);

/* A child that has the window: looks when it is told to, and says what it saw. */
struct child {
	pid_t pid;
	int ask[2], tell[2];
};

void child_pipes(struct child *child);
void child_start(struct child *child, const char *p);
int child_look(struct child *child);
void child_end(struct child *child);

#endif /* UBDX_SINGLE_H */
