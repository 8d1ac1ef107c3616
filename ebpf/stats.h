/* SPDX-License-Identifier: GPL-2.0 */
/*
 * stats.h - shared by the files of ubdx-trace's user half: options, snapshots, reports.
 */
#ifndef UBDX_EBPF_STATS_H
#define UBDX_EBPF_STATS_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <sys/types.h>

#include <libubdx.h>

#include "ubdx-trace.h"

#define ARRAY_SIZE(a) (sizeof(a) / sizeof((a)[0]))

/* ---- options.c: the command line ---- */

/* Print "ubdx-trace: text" and return 1. */
int trace_fail(const char *fmt, ...) __attribute__((format(printf, 1, 2)));

const char *op_name(unsigned int op);
int op_by_name(const char *name);

#define EXIT_USAGE 2

enum probe_set {
	SET_CPU = 1 << 0, /* context switches, wake-ups, CPU time by role */
	SET_SYSCALLS = 1 << 1,
	SET_URING = 1 << 2, /* SQEs, CQEs, io-wq */
	SET_MEMORY = 1 << 3, /* page faults, TLB flushes */
	SET_BLOCK = 1 << 4, /* the block layer's bios and requests */
	SET_ROLES = 1 << 15, /* finds submitters; all other sets need it */
	SET_ALL = SET_CPU | SET_SYSCALLS | SET_URING | SET_MEMORY | SET_BLOCK,
};

/**
 * struct options - the command line.
 * @dev:	device number, -1: all.
 * @ops, @modes: bit sets.
 * @min_bytes, @max_bytes: of a request.
 * @duration:	seconds, 0: until interrupted.
 * @count:	requests, 0: any number.
 * @sets:	enum probe_set.
 * @timeline:	end after this many complete requests, and print each; 0: no timeline.
 * @trace_file:	for Perfetto; NULL: none.
 * @command:	run it, and trace until it ends; NULL: none.
 * @live:	refresh each second, like top; otherwise only totals are printed.
 * @clock:	unit of the clock: "ns" or "instructions".
 */
struct options {
	int dev;
	uint32_t ops;
	uint32_t modes;
	uint32_t min_bytes;
	uint32_t max_bytes;
	double duration;
	uint64_t count;
	unsigned int sets;
	unsigned int timeline;
	const char *trace_file;
	char **command;
	const char *clock;
	bool live;
	bool json;
	bool csv;
	bool histogram;
	bool cost;
};

/* Returns true if --op, --xfer or --size can leave requests out. */
bool is_filtered(const struct options *o);

void parse_options(int argc, char **argv, struct options *o);

/* ---- snapshot.c: what was counted ---- */

struct class {
	struct class_key key;
	struct class_stats stats; /* sum of all CPUs */
};

/* The cost of one of our programs. */
struct probe {
	const char *name;
	bool attached;
	uint64_t runs;
	uint64_t missed; /* events that came while the program ran on the same CPU */
	uint64_t spent; /* ns, or instructions; with --cost */
};

#define MAX_PROBES 32

/* Counters of devices with extents, see front.c. */
#define NR_FRONT 11

/**
 * struct snapshot - all counters at one moment, or their differences between two moments.
 * @at:		the moment, CLOCK_MONOTONIC.
 * @seconds:	between the two moments.
 * @nr_cpus:	online CPUs.
 * @roles_dropped: processes whose role could not be stored, because the map was full.
 * @wall:	time of all CPUs together, in units of the clock.
 */
struct snapshot {
	uint64_t at;
	double seconds;
	unsigned int nr_cpus;
	uint64_t wall;
	size_t nr_classes;
	struct class *classes;
	uint64_t time[NR_ROLES];
	uint64_t events[NR_EVENTS];
	uint64_t classes_dropped;
	uint64_t timeline_dropped;
	uint64_t roles_dropped;
	unsigned int nr_probes;
	struct probe probes[MAX_PROBES];
	bool has_front; /* a traced device has extents */
	uint64_t front[NR_FRONT];
};

uint64_t snapshot_requests(const struct snapshot *s);
uint64_t snapshot_all(const struct snapshot *s, const struct options *o);
uint64_t snapshot_missed(const struct snapshot *s);

/* ---- front.c ---- */

extern const char *const front_names[NR_FRONT];
bool front_read(int dev, uint64_t *counts);

/* ---- report.c: names, and snapshots as text, JSON or CSV ---- */

extern const char *const interval_names[NR_INTERVALS];
extern const char *const role_names[NR_ROLES];
extern const char *const page_class_names[4];

double hist_percentile(const struct class_stats *stats, enum trace_interval interval, double share);
void report_text(FILE *out, const struct snapshot *s, const struct options *o);
void report_json(FILE *out, const struct snapshot *s, const struct options *o);
void report_csv(FILE *out, const struct snapshot *s, const struct options *o);

/* ---- timeline.c: requests one by one ---- */

struct timeline;
struct timeline *timeline_open(const struct options *o);
void timeline_add(struct timeline *t, const struct ubdx_trace_done *a);
bool timeline_full(const struct timeline *t);
int timeline_close(struct timeline *t);

/* ---- live.c: the live view's keyboard ---- */

void live_begin(void);
bool live_wait(int ms);

#endif /* UBDX_EBPF_STATS_H */
