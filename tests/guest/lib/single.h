/* SPDX-License-Identifier: GPL-2.0 */
/*
 * single.h - one request at a time: the calling thread is the server, and a client is a thread that
 * makes one READ or WRITE. For tests of what can be done to a request while it is at the server.
 *
 * There is one device at a time, with one queue. Setting up bails out if it fails.
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
extern uint64_t features; /* UBDX_F_* for begin() */
extern unsigned int block_bytes; /* logical block for begin(); 0: the default */

int neg(long ret); /* the result of a system call, or -errno */

/* ---- the device ---- */

/*
 * Make a device live in a mode, and serve its partition scan. @recovery: raw.add.params.recovery.
 */
void begin(unsigned int mode, unsigned int timeout_ms, unsigned int recovery);
int end(void); /* delete it by force: 0 or -errno */
void set_mode(unsigned int mode);
void serve_scan(void); /* serve all requests until the partition scan is over */
/*
 * Open a device that another process serves. That process writes the device's id (raw.add.id) to
 * the pipe @server when the device is live.
 */
void begin_as_client(int server);
/* A counter of the file /sys/block/ubdxbN/ubdx/FILE. */
long counter(const char *file, const char *what);
long moved(const char *what); /* a counter of the file `moved` */
/* Set a parameter of the module. */
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
/* Start the client. Returns its request's descriptor, once the request is at the server. */
const struct ubdx_desc *client(struct client *c, bool write, char *mem, size_t bytes);
bool client_waits(struct client *c);
int client_end(struct client *c);

/* ---- the server's side of a request ---- */

int commit(const struct ubdx_desc *d, int res);
/*
 * Commit the client's only request, and wait for the client. Returns the client's result, or the
 * commit's result if the commit isn't parked.
 */
int finish(struct client *c, const struct ubdx_desc *d, int res);
off_t pos(const struct ubdx_desc *d, unsigned int offset);

/* ---- windows ---- */

extern char *window[2]; /* indexed by UBDX_OP_READ and UBDX_OP_WRITE */
extern size_t window_bytes;

/* Map both windows. From then on look() handles SIGBUS. */
void open_windows(void);
void close_windows(void);
char *place(const struct ubdx_desc *d);
/* Returns the byte, or -1 if reading it raises SIGBUS. */
int look(const volatile char *p);

/* A child process with the window. On request it calls look(), and reports the result. */
struct child {
	pid_t pid;
	int ask[2], tell[2];
};

void child_pipes(struct child *child);
void child_start(struct child *child, const char *p);
int child_look(struct child *child);
void child_end(struct child *child);

#endif /* UBDX_SINGLE_H */
