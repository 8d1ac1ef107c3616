// SPDX-License-Identifier: GPL-2.0
/*
 * report.c - prints a snapshot as text, JSON or CSV.
 *
 * A percentile is the middle of its histogram bucket. A bucket is for one value, or its width is at
 * most 1/8 of its lowest value; the last bucket also has all larger values. Means are exact.
 */
#include <string.h>

#include "stats.h"

const char *const interval_names[NR_INTERVALS] = {
	[I_PUBLISH] = "publish", [I_DELIVER] = "deliver", [I_MOVE] = "move", [I_SERVE] = "serve",
	[I_RELEASE] = "release", [I_END] = "end",	  [I_WAKE] = "wake", [I_TOTAL] = "total",
};

static const char *const interval_stamps[NR_INTERVALS] = {
	[I_PUBLISH] = "T0-T1", [I_DELIVER] = "T1-T2", [I_MOVE] = "T2-T4", [I_SERVE] = "T4-T5",
	[I_RELEASE] = "T5-T6", [I_END] = "T6-T7",     [I_WAKE] = "T4-T3", [I_TOTAL] = "T0-T7",
};

const char *const role_names[NR_ROLES] = {
	[R_OTHER] = "other",   [R_SERVER] = "server",	[R_SUBMITTER] = "submitter",
	[R_KERNEL] = "kernel", [R_SOFTIRQ] = "softirq", [R_IDLE] = "idle",
};

const char *const page_class_names[4] = { "none", "small", "large", "slab" };

static const struct {
	const char *name;
	const char *event; /* the tracepoint that counts it */
	unsigned int set; /* enum probe_set that includes the tracepoint */
	const char *second; /* another tracepoint that counts it, or NULL */
} counted[NR_EVENTS] = {
	[E_SWITCH] = { "switches", "sched_switch", SET_CPU },
	[E_SWITCH_SERVER] = { "switches_server", "sched_switch", SET_CPU },
	[E_SWITCH_SUBMITTER] = { "switches_submitter", "sched_switch", SET_CPU },
	[E_WAKE_SERVER] = { "wakeups_server", "sched_wakeup", SET_CPU },
	[E_WAKE_SUBMITTER] = { "wakeups_submitter", "sched_wakeup", SET_CPU },
	[E_SYSCALL_SERVER] = { "syscalls_server", "sys_enter", SET_SYSCALLS },
	[E_SYSCALL_SUBMITTER] = { "syscalls_submitter", "sys_enter", SET_SYSCALLS },
	[E_SQE_SERVER] = { "sqes_server", "io_uring_submit_req", SET_URING },
	[E_CQE_SERVER] = { "cqes_server", "io_uring_complete", SET_URING },
	[E_IOWQ_SERVER] = { "io_wq_server", "io_uring_queue_async_work", SET_URING },
	[E_FAULT_SERVER] = { "page_faults_server", "page_fault_user", SET_MEMORY,
			     "page_fault_kernel" },
	[E_TLB_LOCAL] = { "tlb_flushes_local", "tlb_flush", SET_MEMORY },
	[E_TLB_SENT] = { "tlb_shootdowns_sent", "tlb_flush", SET_MEMORY },
	[E_TLB_RECEIVED] = { "tlb_shootdowns_received", "tlb_flush", SET_MEMORY },
	[E_BLOCK_BIO] = { "block_bios", "block_bio_queue", SET_BLOCK },
	[E_BLOCK_SPLIT] = { "block_splits", "block_split", SET_BLOCK },
	[E_BLOCK_BIO_MERGE] = { "block_bio_merges", "block_bio_backmerge", SET_BLOCK,
				"block_bio_frontmerge" },
	[E_BLOCK_RQ_MERGE] = { "block_rq_merges", "block_rq_merge", SET_BLOCK },
	[E_BLOCK_INSERT] = { "block_inserts", "block_rq_insert", SET_BLOCK },
	[E_BLOCK_ISSUE] = { "block_issues", "block_rq_issue", SET_BLOCK },
	[E_BLOCK_REQUEUE] = { "block_requeues", "block_rq_requeue", SET_BLOCK },
	[E_BLOCK_COMPLETE] = { "block_completes", "block_rq_complete", SET_BLOCK },
};

/* Requests per context switch, wake-up and system call of the server. */
static const struct {
	const char *name;
	enum counted event;
} batches[] = {
	{ "requests_per_switch", E_SWITCH_SERVER },
	{ "requests_per_wakeup", E_WAKE_SERVER },
	{ "requests_per_syscall", E_SYSCALL_SERVER },
};

/* What happens to payloads. NR_MOVED: bytes that the driver copies in mode copy. */
static const struct {
	unsigned int what; /* enum ubdx_moved */
	const char *name;
	const char *unit;
	const char *text;
} moves[] = {
	{ NR_MOVED, "copied_by_driver", "bytes", "bytes copied by the driver" },
	{ UBDX_MOVED_COPIED, "copied_through_channel", "bytes",
	  "bytes copied through the channel" },
	{ UBDX_MOVED_SPLICED, "spliced", "bytes", "bytes spliced" },
	{ UBDX_MOVED_MAPPED, "pages_mapped", "pages", "pages mapped" },
	{ UBDX_MOVED_FAULTS, "map_faults", "events", "page faults in windows" },
	{ UBDX_MOVED_ZAPS, "zaps", "events", "window ranges unmapped" },
};

/* As in /sys/block/NAME/ubdx/fallbacks. */
static const char *const fallback_names[] = {
	[UBDX_FALLBACK_NONE] = "none",
	[UBDX_FALLBACK_PARTIAL] = "partial",
	[UBDX_FALLBACK_GAP] = "gap",
	[UBDX_FALLBACK_LONG] = "long",
	[UBDX_FALLBACK_SLAB] = "slab",
	[UBDX_FALLBACK_TABLE] = "table",
	[UBDX_FALLBACK_UNALIGNED] = "unaligned",
};

static const char *fallback_name(unsigned int reason)
{
	return reason < ARRAY_SIZE(fallback_names) ? fallback_names[reason] : "?";
}

static const char *mode_name(unsigned int mode)
{
	return ubdx_xfer_name(mode) ?: "?";
}

/*
 * What was not counted, because a map or buffer was full, or because an event came while its BPF
 * program ran on the same CPU.
 */
static const struct {
	const char *name;
	const char *text;
} drops[] = {
	{ "classes", "requests (no free class)" },
	{ "timeline", "timeline records (buffer full)" },
	{ "events", "events" },
	{ "roles", "processes (no room for their roles)" },
};

static uint64_t dropped(const struct snapshot *s, unsigned int what)
{
	const uint64_t numbers[ARRAY_SIZE(drops)] = {
		s->classes_dropped,
		s->timeline_dropped,
		snapshot_missed(s),
		s->roles_dropped,
	};

	return numbers[what];
}

/* Was the event asked for, and does this kernel have it? */
static bool is_here(const struct snapshot *s, const char *event)
{
	unsigned int i;

	for (i = 0; i < s->nr_probes; i++)
		if (!strcmp(s->probes[i].name, event))
			return s->probes[i].attached;
	return false;
}

/* Does every tracepoint that counts this exist? If one is missing, the number is too small. */
static bool has_count(const struct snapshot *s, enum counted event)
{
	return is_here(s, counted[event].event) &&
	       (!counted[event].second || is_here(s, counted[event].second));
}

static bool has_role(const struct snapshot *s, enum task_role role)
{
	return is_here(s, role == R_SOFTIRQ ? "softirq_entry" : "sched_switch");
}

/* Requests per event; 0 if the event isn't traced or never came. */
static double batch(const struct snapshot *s, const struct options *o, unsigned int i)
{
	enum counted event = batches[i].event;

	if (!has_count(s, event) || !s->events[event])
		return 0;
	return (double)snapshot_all(s, o) / s->events[event];
}

/* ---- histograms ---- */

static uint64_t bucket_start(unsigned int bucket)
{
	unsigned int octave = bucket / HIST_SUB, sub = bucket % HIST_SUB;

	return octave ? (uint64_t)(HIST_SUB + sub) << (octave - 1) : sub;
}

/* The number of requests whose interval was measured. */
static uint64_t samples(const struct class_stats *stats, enum trace_interval interval)
{
	uint64_t whole = stats->count - stats->incomplete - stats->disordered;

	return interval == I_WAKE ? whole - stats->no_read : whole;
}

double hist_percentile(const struct class_stats *stats, enum trace_interval interval, double share)
{
	uint64_t seen = 0, wanted = samples(stats, interval) * share;
	unsigned int i;

	for (i = 0; i < NR_BUCKETS; i++) {
		seen += stats->hist[interval][i];
		if (seen > wanted || (seen == wanted && seen == samples(stats, interval) && seen))
			return i < 2 * HIST_SUB ? i : (bucket_start(i) + bucket_start(i + 1)) / 2.0;
	}
	return 0;
}

static double mean(const struct class_stats *stats, enum trace_interval interval)
{
	return samples(stats, interval) ? (double)stats->sum[interval] / samples(stats, interval) :
					  0;
}

/* ---- text ---- */

static void size_text(char *text, size_t size, unsigned int log2)
{
	static const char units[] = " KMGTPE";

	if (!log2)
		snprintf(text, size, "-");
	else
		snprintf(text, size, "<=%u%.*s", 1U << log2 % 10, log2 < 10 ? 0 : 1,
			 &units[log2 / 10]);
}

static void text_histogram(FILE *out, const struct class_stats *stats, enum trace_interval interval)
{
	static const char bar[] = "########################################";
	uint32_t most = 0;
	unsigned int i;

	for (i = 0; i < NR_BUCKETS; i++)
		if (stats->hist[interval][i] > most)
			most = stats->hist[interval][i];
	for (i = 0; i < NR_BUCKETS; i++) {
		uint32_t n = stats->hist[interval][i];

		if (n)
			fprintf(out, "      %12llu .. %-12llu %10u %.*s\n",
				(unsigned long long)bucket_start(i),
				(unsigned long long)bucket_start(i + 1) - 1, n,
				(int)((sizeof(bar) - 1) * (uint64_t)n / most), bar);
	}
}

/* A payload counter of a class; @what is as in moves[]. */
static uint64_t moved(const struct class *c, unsigned int what)
{
	/* In mode copy the driver copies every payload, once. */
	if (what == NR_MOVED)
		return c->key.xfer == UBDX_XFER_COPY && c->key.op <= UBDX_OP_WRITE ?
			       c->stats.bytes :
			       0;
	return c->stats.moved[what];
}

static void text_moved(FILE *out, const struct class *c)
{
	const char *comma = "    per request: ";
	unsigned int i;

	for (i = 0; i < ARRAY_SIZE(moves); i++) {
		if (!moved(c, moves[i].what))
			continue;
		fprintf(out, "%s%.2f %s", comma,
			c->stats.count ? (double)moved(c, moves[i].what) / c->stats.count : 0,
			moves[i].text);
		comma = ", ";
	}
	if (*comma == ',')
		fputc('\n', out);
}

static void text_class(FILE *out, const struct class *c, const struct options *o)
{
	const struct class_stats *stats = &c->stats;
	char size[16];
	int i;

	size_text(size, sizeof(size), c->key.size_log2);
	fprintf(out, "%s %s %s, pages %s%s%s: %llu requests", mode_name(c->key.xfer),
		op_name(c->key.op), size, page_class_names[c->key.page_class & 3],
		c->key.fallback ? ", fallen back: " : "",
		c->key.fallback ? fallback_name(c->key.fallback) : "",
		(unsigned long long)stats->count);
	if (stats->errors)
		fprintf(out, ", %llu failed", (unsigned long long)stats->errors);
	if (stats->incomplete || stats->disordered)
		fprintf(out, "; left out: %llu lack a stamp, %llu have stamps out of order",
			(unsigned long long)stats->incomplete,
			(unsigned long long)stats->disordered);
	fprintf(out, "\n    %-8s %-6s %12s %10s %10s %10s %10s %7s\n", "stage", "", "mean", "p50",
		"p90", "p99", "p99.9", "share");
	for (i = 0; i < NR_INTERVALS; i++) {
		if (!samples(stats, i))
			continue;
		fprintf(out, "    %s%-*s %-6s %12.1f %10.0f %10.0f %10.0f %10.0f",
			i == I_WAKE ? "(" : "", i == I_WAKE ? 7 : 8, interval_names[i],
			interval_stamps[i], mean(stats, i), hist_percentile(stats, i, 0.5),
			hist_percentile(stats, i, 0.9), hist_percentile(stats, i, 0.99),
			hist_percentile(stats, i, 0.999));
		fprintf(out, " %6.1f%%%s\n", 100.0 * mean(stats, i) / (mean(stats, I_TOTAL) ?: 1),
			i == I_WAKE ? ", a part of serve)" : "");
		if (o->histogram)
			text_histogram(out, stats, i);
	}
	text_moved(out, c);
}

static void text_events(FILE *out, const struct snapshot *s, const struct options *o)
{
	uint64_t requests = snapshot_all(s, o);
	unsigned int i;

	fprintf(out, "\nper request\n");
	for (i = 0; i < NR_EVENTS; i++) {
		if (!(o->sets & counted[i].set))
			continue;
		if (has_count(s, i))
			fprintf(out, "    %-26s %10.3f\n", counted[i].name,
				requests ? (double)s->events[i] / requests : 0);
		else
			fprintf(out, "    %-26s %10s\n", counted[i].name, "n/a");
	}
	for (i = 0; i < ARRAY_SIZE(batches); i++) {
		if (!(o->sets & counted[batches[i].event].set))
			continue;
		if (!has_count(s, batches[i].event))
			fprintf(out, "    %-26s %10s\n", batches[i].name, "n/a");
		else if (s->events[batches[i].event])
			fprintf(out, "    %-26s %10.3f\n", batches[i].name, batch(s, o, i));
		else
			fprintf(out, "    %-26s %10s\n", batches[i].name, "-");
	}
}

/*
 * Time that is charged to no role: a CPU that comes online during the trace has no role until its
 * role first changes. If sched_switch isn't traced, no role's time is known, and this number means
 * nothing (has_role()).
 */
static int64_t remainder_of(const struct snapshot *s)
{
	int64_t rest = s->wall;
	unsigned int i;

	for (i = 0; i < NR_ROLES; i++)
		rest -= s->time[i];
	return rest;
}

static void text_time(FILE *out, const struct snapshot *s, const struct options *o,
		      const char *name, int64_t time, bool here)
{
	uint64_t requests = snapshot_all(s, o);

	if (here)
		fprintf(out, "    %-26s %12.1f %6.1f%%\n", name,
			requests ? (double)time / requests : 0,
			s->wall ? 100.0 * time / s->wall : 0);
	else
		fprintf(out, "    %-26s %12s\n", name, "n/a");
}

static void text_cpu(FILE *out, const struct snapshot *s, const struct options *o)
{
	unsigned int i;

	fprintf(out, "\nCPU (%u)%19s %14s %7s\n", s->nr_cpus, "", "per request", "share");
	for (i = 0; i < NR_ROLES; i++)
		text_time(out, s, o, role_names[i], s->time[i], has_role(s, i));
	text_time(out, s, o, "not attributed", remainder_of(s), has_role(s, R_OTHER));
}

static void text_probes(FILE *out, const struct snapshot *s, const struct options *o)
{
	uint64_t requests = snapshot_all(s, o);
	unsigned int i;

	fprintf(out, "\nour own cost%27s %14s %12s\n", "runs", "per run", "per request");
	for (i = 0; i < s->nr_probes; i++) {
		const struct probe *p = &s->probes[i];

		if (p->attached)
			fprintf(out, "    %-22s %12llu %14.1f %12.1f\n", p->name,
				(unsigned long long)p->runs,
				p->runs ? (double)p->spent / p->runs : 0,
				requests ? (double)p->spent / requests : 0);
		else
			fprintf(out, "    %-22s %12s\n", p->name, "n/a");
	}
	fprintf(out,
		"    (%s spent in the BPF programs themselves; docs/tracing.md shows how to measure the whole cost of tracing)\n",
		o->clock);
}

static void text_front(FILE *out, const struct snapshot *s)
{
	unsigned int i;

	fprintf(out, "\nextents:");
	for (i = 0; i < NR_FRONT; i++)
		fprintf(out, "%s %s %llu", i ? "," : "", front_names[i],
			(unsigned long long)s->front[i]);
	fputc('\n', out);
}

void report_text(FILE *out, const struct snapshot *s, const struct options *o)
{
	uint64_t requests = snapshot_requests(s);
	size_t i;

	fprintf(out, "%llu requests in %.2f s, %.0f a second; times are %s\n",
		(unsigned long long)requests, s->seconds, s->seconds ? requests / s->seconds : 0,
		o->clock);
	if (is_filtered(o))
		fprintf(out,
			"%llu requests in all; the events, CPU times and costs below are divided by this number\n",
			(unsigned long long)snapshot_all(s, o));
	for (i = 0; i < s->nr_classes; i++) {
		fputc('\n', out);
		text_class(out, &s->classes[i], o);
	}
	if (o->sets)
		text_events(out, s, o);
	if (o->sets & SET_CPU)
		text_cpu(out, s, o);
	if (o->cost)
		text_probes(out, s, o);
	if (s->has_front)
		text_front(out, s);
	fprintf(out, "\ndropped:");
	for (i = 0; i < ARRAY_SIZE(drops); i++)
		fprintf(out, "%s %llu %s", i ? "," : "", (unsigned long long)dropped(s, i),
			drops[i].text);
	fputc('\n', out);
}

/* ---- JSON ---- */

static void json_stage(FILE *out, const struct class_stats *stats, enum trace_interval i,
		       bool histogram)
{
	const char *comma = "";
	unsigned int b;

	fprintf(out,
		"{\"samples\": %llu, \"mean\": %.1f, \"p50\": %.1f, \"p90\": %.1f, \"p99\": %.1f, \"p99.9\": %.1f",
		(unsigned long long)samples(stats, i), mean(stats, i),
		hist_percentile(stats, i, 0.5), hist_percentile(stats, i, 0.9),
		hist_percentile(stats, i, 0.99), hist_percentile(stats, i, 0.999));
	if (histogram) {
		fprintf(out, ", \"histogram\": [");
		for (b = 0; b < NR_BUCKETS; b++) {
			if (!stats->hist[i][b])
				continue;
			fprintf(out, "%s[%llu, %u]", comma, (unsigned long long)bucket_start(b),
				stats->hist[i][b]);
			comma = ", ";
		}
		fputc(']', out);
	}
	fputc('}', out);
}

static void json_class(FILE *out, const struct class *c, const struct options *o)
{
	const struct class_stats *stats = &c->stats;
	unsigned int k;
	int i;

	fprintf(out,
		"    {\"mode\": \"%s\", \"op\": \"%s\", \"max_bytes\": %llu, \"pages\": \"%s\", \"fallback\": \"%s\",\n"
		"     \"count\": %llu, \"bytes\": %llu, \"errors\": %llu, \"incomplete\": %llu, \"disordered\": %llu, \"no_read\": %llu,\n"
		"     \"moved\": {",
		mode_name(c->key.xfer), op_name(c->key.op),
		c->key.size_log2 ? 1ULL << c->key.size_log2 : 0,
		page_class_names[c->key.page_class & 3], fallback_name(c->key.fallback),
		(unsigned long long)stats->count, (unsigned long long)stats->bytes,
		(unsigned long long)stats->errors, (unsigned long long)stats->incomplete,
		(unsigned long long)stats->disordered, (unsigned long long)stats->no_read);
	for (k = 0; k < ARRAY_SIZE(moves); k++)
		fprintf(out, "%s\"%s\": %llu", k ? ", " : "", moves[k].name,
			(unsigned long long)moved(c, moves[k].what));
	fprintf(out, "},\n     \"stages\": {");
	for (i = 0; i < NR_INTERVALS; i++) {
		fprintf(out, "%s\n      \"%s\": ", i ? "," : "", interval_names[i]);
		json_stage(out, stats, i, o->histogram);
	}
	fprintf(out, "}}");
}

static void json_number(FILE *out, bool here, int64_t number)
{
	if (here)
		fprintf(out, "%lld", (long long)number);
	else
		fprintf(out, "null");
}

static void json_counts(FILE *out, const struct snapshot *s, const struct options *o)
{
	const char *comma = "";
	unsigned int i;

	fprintf(out, "  \"events\": {");
	for (i = 0; i < NR_EVENTS; i++) {
		if (!(o->sets & counted[i].set))
			continue;
		fprintf(out, "%s\n    \"%s\": ", comma, counted[i].name);
		json_number(out, has_count(s, i), s->events[i]);
		comma = ",";
	}
	fprintf(out, "\n  },\n  \"batch\": {");
	for (i = 0, comma = ""; i < ARRAY_SIZE(batches); i++) {
		if (!(o->sets & counted[batches[i].event].set))
			continue;
		fprintf(out, "%s\n    \"%s\": ", comma, batches[i].name);
		if (batch(s, o, i))
			fprintf(out, "%.3f", batch(s, o, i));
		else
			fprintf(out, "null");
		comma = ",";
	}
	fprintf(out, "\n  },\n");
	if (o->sets & SET_CPU) {
		fprintf(out, "  \"cpu\": {\n    \"cpus\": %u,\n    \"all\": %llu", s->nr_cpus,
			(unsigned long long)s->wall);
		for (i = 0; i < NR_ROLES; i++) {
			fprintf(out, ",\n    \"%s\": ", role_names[i]);
			json_number(out, has_role(s, i), s->time[i]);
		}
		fprintf(out, ",\n    \"not_attributed\": ");
		json_number(out, has_role(s, R_OTHER), remainder_of(s));
		fprintf(out, "\n  },\n");
	}
}

static void json_probes(FILE *out, const struct snapshot *s, const struct options *o)
{
	unsigned int i;

	fprintf(out, "  \"probes\": [");
	for (i = 0; i < s->nr_probes; i++) {
		const struct probe *p = &s->probes[i];

		fprintf(out, "%s\n    {\"name\": \"%s\", \"attached\": %s", i ? "," : "", p->name,
			p->attached ? "true" : "false");
		if (o->cost)
			fprintf(out, ", \"runs\": %llu, \"spent\": %llu",
				(unsigned long long)p->runs, (unsigned long long)p->spent);
		fprintf(out, ", \"missed\": %llu}", (unsigned long long)p->missed);
	}
	fprintf(out, "\n  ],\n");
}

void report_json(FILE *out, const struct snapshot *s, const struct options *o)
{
	size_t i;

	fprintf(out,
		"{\n  \"clock\": \"%s\",\n  \"seconds\": %.6f,\n  \"requests\": %llu,\n  \"requests_all\": %llu,\n  \"classes\": [",
		o->clock, s->seconds, (unsigned long long)snapshot_requests(s),
		(unsigned long long)snapshot_all(s, o));
	for (i = 0; i < s->nr_classes; i++) {
		fprintf(out, "%s\n", i ? "," : "");
		json_class(out, &s->classes[i], o);
	}
	fprintf(out, "\n  ],\n");
	json_counts(out, s, o);
	json_probes(out, s, o);
	if (s->has_front) {
		fprintf(out, "  \"extents\": {");
		for (i = 0; i < NR_FRONT; i++)
			fprintf(out, "%s\"%s\": %llu", i ? ", " : "", front_names[i],
				(unsigned long long)s->front[i]);
		fprintf(out, "},\n");
	}
	fprintf(out, "  \"dropped\": {");
	for (i = 0; i < ARRAY_SIZE(drops); i++)
		fprintf(out, "%s\"%s\": %llu", i ? ", " : "", drops[i].name,
			(unsigned long long)dropped(s, i));
	fprintf(out, "}\n}\n");
}

/*
 * ---- CSV: a line is a stage of a class, a payload counter of a class, or a figure of the whole
 * trace ----
 */

static void csv_class(FILE *out, const char *record, const struct class *c)
{
	fprintf(out, "%s,%s,%s,%llu,%s,%s,", record, mode_name(c->key.xfer), op_name(c->key.op),
		c->key.size_log2 ? 1ULL << c->key.size_log2 : 0,
		page_class_names[c->key.page_class & 3], fallback_name(c->key.fallback));
}

static void csv_stage(FILE *out, const struct class *c, enum trace_interval i, const char *unit)
{
	const struct class_stats *stats = &c->stats;

	csv_class(out, "stage", c);
	fprintf(out, "%s,%s,%llu,%llu,%.1f,%.1f,%.1f,%.1f,%.1f,%llu,%llu,%llu\n", interval_names[i],
		unit, (unsigned long long)samples(stats, i), (unsigned long long)stats->sum[i],
		mean(stats, i), hist_percentile(stats, i, 0.5), hist_percentile(stats, i, 0.9),
		hist_percentile(stats, i, 0.99), hist_percentile(stats, i, 0.999),
		(unsigned long long)stats->incomplete, (unsigned long long)stats->disordered,
		(unsigned long long)stats->errors);
}

/* The end of a line: a total, and the total per request. */
static void csv_total(FILE *out, const char *name, const char *unit, uint64_t requests,
		      int64_t total, bool here)
{
	fprintf(out, "%s,%s,%llu,", name, unit, (unsigned long long)requests);
	if (here)
		fprintf(out, "%lld,%.3f", (long long)total,
			requests ? (double)total / requests : 0);
	else
		fprintf(out, ",");
	fprintf(out, ",,,,,,,\n");
}

static void csv_whole(FILE *out, const char *record, const char *name, const char *unit,
		      uint64_t requests, int64_t total, bool here)
{
	fprintf(out, "%s,,,,,,", record);
	csv_total(out, name, unit, requests, total, here);
}

static void csv_batches(FILE *out, const struct snapshot *s, const struct options *o)
{
	uint64_t all = snapshot_all(s, o);
	unsigned int i;

	for (i = 0; i < ARRAY_SIZE(batches); i++) {
		if (!(o->sets & counted[batches[i].event].set))
			continue;
		fprintf(out, "batch,,,,,,%s,requests,%llu,,", batches[i].name,
			(unsigned long long)all);
		if (batch(s, o, i))
			fprintf(out, "%.3f", batch(s, o, i));
		fprintf(out, ",,,,,,,\n");
	}
}

static void csv_cpu(FILE *out, const struct snapshot *s, const struct options *o)
{
	uint64_t all = snapshot_all(s, o);
	int i;

	for (i = 0; i < NR_ROLES; i++)
		csv_whole(out, "cpu", role_names[i], o->clock, all, s->time[i], has_role(s, i));
	csv_whole(out, "cpu", "not_attributed", o->clock, all, remainder_of(s),
		  has_role(s, R_OTHER));
}

void report_csv(FILE *out, const struct snapshot *s, const struct options *o)
{
	uint64_t all = snapshot_all(s, o);
	size_t i, k;

	fprintf(out,
		"record,mode,op,max_bytes,pages,fallback,name,unit,requests,total,mean,p50,p90,p99,p99.9,incomplete,disordered,errors\n");
	for (i = 0; i < s->nr_classes; i++) {
		const struct class *c = &s->classes[i];

		for (k = 0; k < NR_INTERVALS; k++)
			csv_stage(out, c, k, o->clock);
		for (k = 0; k < ARRAY_SIZE(moves); k++) {
			csv_class(out, "moved", c);
			csv_total(out, moves[k].name, moves[k].unit, c->stats.count,
				  moved(c, moves[k].what), true);
		}
	}
	for (k = 0; k < NR_EVENTS; k++)
		if (o->sets & counted[k].set)
			csv_whole(out, "event", counted[k].name, "events", all, s->events[k],
				  has_count(s, k));
	csv_batches(out, s, o);
	if (o->sets & SET_CPU)
		csv_cpu(out, s, o);
	for (i = 0; i < ARRAY_SIZE(drops); i++)
		csv_whole(out, "dropped", drops[i].name, "events", all, dropped(s, i), true);
	for (i = 0; s->has_front && i < NR_FRONT; i++)
		csv_whole(out, "extents", front_names[i], "times", all, s->front[i], true);
}
