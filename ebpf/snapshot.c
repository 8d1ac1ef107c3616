// SPDX-License-Identifier: GPL-2.0
/*
 * snapshot.c - reads what the kernel half has counted so far, and adds up the CPUs.
 */
#include <bpf/bpf.h>
#include <bpf/libbpf.h>
#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

#include "tracer.h"

uint64_t now_ns(void)
{
	struct timespec now;

	clock_gettime(CLOCK_MONOTONIC, &now);
	return now.tv_sec * 1000000000ULL + now.tv_nsec;
}

/* ---- requests ---- */

static int by_key(const void *a, const void *b)
{
	return memcmp(a, b, sizeof(struct class_key));
}

/* @sign: 1 to add, -1 to take away. */
static void add_up(struct class_stats *sum, const struct class_stats *part, int sign)
{
	size_t i, b;

	sum->count += sign * part->count;
	sum->bytes += sign * part->bytes;
	sum->errors += sign * part->errors;
	sum->incomplete += sign * part->incomplete;
	sum->disordered += sign * part->disordered;
	sum->no_read += sign * part->no_read;
	for (i = 0; i < NR_MOVED; i++)
		sum->moved[i] += sign * part->moved[i];
	for (i = 0; i < NR_INTERVALS; i++) {
		sum->sum[i] += sign * part->sum[i];
		for (b = 0; b < NR_BUCKETS; b++)
			sum->hist[i][b] += sign * part->hist[i][b];
	}
}

static int read_classes(struct tracer *t, struct snapshot *s)
{
	int fd = bpf_map__fd(t->skel->maps.classes), stats = bpf_map__fd(t->skel->maps.stats), cpu;
	struct class_stats *parts = calloc(t->nr_cpus, sizeof(*parts));
	struct class_key key, *last = NULL;
	uint32_t index;

	s->classes = calloc(MAX_CLASSES, sizeof(*s->classes));
	if (!parts || !s->classes) {
		free(parts);
		return -ENOMEM;
	}
	while (s->nr_classes < MAX_CLASSES && !bpf_map_get_next_key(fd, last, &key)) {
		struct class *c = &s->classes[s->nr_classes];

		last = &key;
		if (bpf_map_lookup_elem(fd, &key, &index) ||
		    bpf_map_lookup_elem(stats, &index, parts))
			continue;
		c->key = key;
		for (cpu = 0; cpu < t->nr_cpus; cpu++)
			add_up(&c->stats, &parts[cpu], 1);
		s->nr_classes++;
	}
	free(parts);
	qsort(s->classes, s->nr_classes, sizeof(*s->classes), by_key);
	return 0;
}

uint64_t snapshot_requests(const struct snapshot *s)
{
	uint64_t n = 0;
	size_t i;

	for (i = 0; i < s->nr_classes; i++)
		n += s->classes[i].stats.count;
	return n;
}

/*
 * The number of all requests of the traced devices, including those that --op, --xfer and --size
 * exclude. Events are divided by this number, because an event doesn't say which request caused it.
 */
uint64_t snapshot_all(const struct snapshot *s, const struct options *o)
{
	return is_filtered(o) ? s->events[E_REQUEST] : snapshot_requests(s) + s->classes_dropped;
}

uint64_t snapshot_missed(const struct snapshot *s)
{
	uint64_t n = 0;
	unsigned int i;

	for (i = 0; i < s->nr_probes; i++)
		n += s->probes[i].missed;
	return n;
}

/* The selected requests that have ended since the base snapshot. */
uint64_t requests_so_far(struct tracer *t)
{
	struct snapshot s = { 0 };
	uint64_t n = 0;

	if (!read_classes(t, &s))
		n = snapshot_requests(&s) - snapshot_requests(&t->base);
	free(s.classes);
	return n;
}

/* ---- CPUs ---- */

/*
 * A CPU may change its role while its counters are copied; a time slice could then count twice or
 * not at all. A copy reads `since` first: if the next copy finds the same `since`, role and time[]
 * did not change in between (events[] may have). After 100 tries a CPU is taken as it is.
 */
static int copy_cpus(struct tracer *t, struct cpu_stats *cpus)
{
	int fd = bpf_map__fd(t->skel->maps.cpus), cpu, tries, left = t->nr_cpus;
	struct cpu_stats *next = calloc(t->nr_cpus, sizeof(*next));
	bool *settled = calloc(t->nr_cpus, sizeof(*settled));
	uint32_t zero = 0;
	int ret = -ENOMEM;

	if (!next || !settled)
		goto out;
	ret = bpf_map_lookup_elem(fd, &zero, cpus);
	for (tries = 0; !ret && left && tries < 100; tries++) {
		ret = bpf_map_lookup_elem(fd, &zero, next);
		for (cpu = 0; !ret && cpu < t->nr_cpus; cpu++) {
			if (settled[cpu])
				continue;
			settled[cpu] = next[cpu].since == cpus[cpu].since;
			left -= settled[cpu];
			if (!settled[cpu])
				cpus[cpu] = next[cpu];
		}
	}
out:
	free(settled);
	free(next);
	return ret;
}

/* The current role of each CPU is charged until s->at, which is taken after all copies. */
static int read_cpus(struct tracer *t, struct snapshot *s)
{
	struct cpu_stats *cpus = calloc(t->nr_cpus, sizeof(*cpus));
	int cpu, i, ret;

	if (!cpus)
		return -ENOMEM;
	ret = copy_cpus(t, cpus);
	s->at = now_ns();
	for (cpu = 0; !ret && cpu < t->nr_cpus; cpu++) {
		const struct cpu_stats *c = &cpus[cpu];

		for (i = 0; i < NR_ROLES; i++)
			s->time[i] += c->time[i];
		for (i = 0; i < NR_EVENTS; i++)
			s->events[i] += c->events[i];
		if (c->since && c->since < s->at && c->role < NR_ROLES)
			s->time[c->role] += s->at - c->since;
	}
	free(cpus);
	return ret;
}

/* ---- snapshots ---- */

static void read_probes(struct tracer *t, struct snapshot *s)
{
	size_t i;

	for (i = 0; i < nr_probe_kinds; i++) {
		struct bpf_prog_info info = { 0 };
		uint32_t size = sizeof(info);
		struct probe *p = &s->probes[s->nr_probes];

		if (probe_list[i].set && !(t->sets & probe_list[i].set))
			continue;
		p->name = probe_list[i].event;
		/* on_stage counts as attached, although it is attached only part of the time */
		p->attached = bpf_program__autoload(probe_program(t, &probe_list[i]));
		if (p->attached &&
		    !bpf_prog_get_info_by_fd(bpf_program__fd(probe_program(t, &probe_list[i])),
					     &info, &size)) {
			p->runs = info.run_cnt;
			p->spent = info.run_time_ns;
			p->missed = info.recursion_misses;
		}
		s->nr_probes++;
	}
}

/* Read everything counted since loading. since() subtracts an earlier snapshot. */
int take_snapshot(struct tracer *t, struct snapshot *s)
{
	int ret;

	memset(s, 0, sizeof(*s));
	s->nr_cpus = sysconf(_SC_NPROCESSORS_ONLN);
	ret = read_cpus(t, s) ?: read_classes(t, s);
	if (ret)
		return trace_fail("reading the counters: %s", strerror(-ret));
	read_probes(t, s);
	s->has_front = front_read(t->options->dev, s->front);
	s->classes_dropped = t->skel->bss->classes_dropped;
	s->timeline_dropped = t->skel->bss->timeline_dropped;
	s->roles_dropped = t->skel->bss->roles_dropped;
	return 0;
}

/* Subtract @before from @s. */
void since(struct snapshot *s, const struct snapshot *before)
{
	size_t i, k;

	s->seconds = (s->at - before->at) / 1e9;
	s->wall = (s->at - before->at) * s->nr_cpus;
	s->classes_dropped -= before->classes_dropped;
	s->timeline_dropped -= before->timeline_dropped;
	s->roles_dropped -= before->roles_dropped;
	/* a device that was deleted meanwhile takes its counters along */
	for (i = 0; i < NR_FRONT; i++)
		s->front[i] -= before->front[i] < s->front[i] ? before->front[i] : s->front[i];
	for (i = 0; i < NR_ROLES; i++)
		s->time[i] -= before->time[i];
	for (i = 0; i < NR_EVENTS; i++)
		s->events[i] -= before->events[i];
	for (i = 0; i < s->nr_classes; i++)
		for (k = 0; k < before->nr_classes; k++)
			if (!by_key(&s->classes[i].key, &before->classes[k].key))
				add_up(&s->classes[i].stats, &before->classes[k].stats, -1);
	for (i = 0; i < s->nr_probes && i < before->nr_probes; i++) {
		s->probes[i].runs -= before->probes[i].runs;
		s->probes[i].spent -= before->probes[i].spent;
		s->probes[i].missed -= before->probes[i].missed;
	}
}
