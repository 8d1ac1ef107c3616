/* SPDX-License-Identifier: GPL-2.0 */
/*
 * tracer.h - the state of a running ubdx-trace. probes.c attaches the programs, snapshot.c reads
 * what they have counted, ubdx-trace.c runs the loop.
 */
#ifndef UBDX_EBPF_TRACER_H
#define UBDX_EBPF_TRACER_H

#include "stats.h"
#include "ubdx-trace.skel.h"

/*
 * A program and its event. on_begin has no event and is not in the list; on_stage is attached only
 * at times, see learn().
 */
struct probe_kind {
	const char *program;
	const char *event;
	unsigned int set; /* 0: always */
};

extern const struct probe_kind probe_list[];
extern const size_t nr_probe_kinds;

struct tracer {
	const struct options *options;
	unsigned int sets; /* enum probe_set: the sets asked for, and what they depend on */
	struct ubdx_trace_bpf *skel;
	struct bpf_link *links[MAX_PROBES];
	struct bpf_link *learning;
	struct ring_buffer *ring;
	struct timeline *timeline;
	int ctl;
	int stats_fd;
	int nr_cpus;
	pid_t command;
	int command_status;
	struct snapshot base; /* taken when all was attached; subtracted from later snapshots */
};

/* ---- probes.c ---- */

struct bpf_program *probe_program(struct tracer *t, const struct probe_kind *kind);
int choose_programs(struct tracer *t);
int attach_programs(struct tracer *t);

/* ---- snapshot.c ---- */

uint64_t now_ns(void);
int take_snapshot(struct tracer *t, struct snapshot *s);
void since(struct snapshot *s, const struct snapshot *before);
uint64_t requests_so_far(struct tracer *t);

#endif /* UBDX_EBPF_TRACER_H */
