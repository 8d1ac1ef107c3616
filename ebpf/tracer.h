/* SPDX-License-Identifier: GPL-2.0 */
/*
 * tracer.h - the state of a running ubdx-trace: what is attached (ubdx-trace.c), and how what that
 * has counted is read (snapshot.c).
 */
#ifndef UBDX_EBPF_TRACER_H
#define UBDX_EBPF_TRACER_H

#include "trace.h"
#include "ubdx-trace.skel.h"

/* A program and the event that it is attached to. on_begin and on_sample have none, on_queue has it now and then. */
struct probe_kind {
	const char *program;
	const char *event;
	unsigned int set; /* 0: always */
};

extern const struct probe_kind probe_list[];
extern const size_t nr_probe_kinds;

struct tracer {
	const struct options *options;
	unsigned int sets; /* enum probe_set: those that were asked for, and what they need */
	struct ubdx_trace_bpf *skel;
	struct bpf_link *links[MAX_PROBES];
	struct bpf_link *learning;
	struct ring_buffer *ring;
	struct timeline *timeline;
	struct flame *flame;
	struct hardware_counters *hardware;
	int ctl;
	int stats_fd;
	int nr_cpus;
	pid_t command;
	int command_status;
	struct snapshot base; /* what had been counted when all was attached: it is of no account */
	pid_t servers[64];
	size_t nr_servers;
};

struct bpf_program *probe_program(struct tracer *t, const struct probe_kind *kind);

/* ---- snapshot.c ---- */

uint64_t now_ns(void);
int take_snapshot(struct tracer *t, struct snapshot *s);
void since(struct snapshot *s, const struct snapshot *before);
uint64_t requests_so_far(struct tracer *t);

#endif /* UBDX_EBPF_TRACER_H */
