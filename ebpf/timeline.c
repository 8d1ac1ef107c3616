// SPDX-License-Identifier: GPL-2.0
/*
 * timeline.c - the stages of single requests, as text and as a trace file in the JSON format that
 * Perfetto and chrome://tracing read: one track per tag, with a slice for each request and one for
 * each stretch between two of its stages.
 *
 * Requests arrive in the order in which they end. They are kept until tracing stops, and then
 * printed in the order in which they began.
 */
#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "stats.h"

struct timeline {
	const struct options *options;
	FILE *trace;
	bool first_slice;
	size_t nr;
	struct ubdx_trace_done *list; /* in the order of their ends; options->timeline elements */
};

static const struct {
	const char *name;
	unsigned int from, to;
} slices[] = {
	{ "publish", UBDX_T_QUEUE, UBDX_T_PUBLISH }, { "deliver", UBDX_T_PUBLISH, UBDX_T_DELIVER },
	{ "move", UBDX_T_DELIVER, UBDX_T_MOVE },     { "wake", UBDX_T_MOVE, UBDX_T_READ },
	{ "work", UBDX_T_READ, UBDX_T_COMMIT },	     { "release", UBDX_T_COMMIT, UBDX_T_RELEASE },
	{ "end", UBDX_T_RELEASE, UBDX_T_DONE },
};

/* Returns NULL and sets errno if memory is short or the trace file can't be created. */
struct timeline *timeline_open(const struct options *o)
{
	struct timeline *t = calloc(1, sizeof(*t));

	if (!t)
		return NULL;
	t->options = o;
	t->list = calloc(o->timeline, sizeof(*t->list));
	if (t->list && o->trace_file)
		t->trace = fopen(o->trace_file, "we");
	if (t->list && (t->trace || !o->trace_file))
		return t;
	free(t->list);
	free(t);
	return NULL;
}

/*
 * The kernel half sends complete requests only, and no more than options->timeline. The check just
 * guards the array.
 */
void timeline_add(struct timeline *t, const struct ubdx_trace_done *a)
{
	if (t->nr < t->options->timeline)
		t->list[t->nr++] = *a;
}

bool timeline_full(const struct timeline *t)
{
	return t->nr == t->options->timeline;
}

/* ---- output, in the order in which the requests began ---- */

static int by_start(const void *a, const void *b)
{
	const struct ubdx_trace_done *x = a, *y = b;

	if (x->stamp[UBDX_T_QUEUE] != y->stamp[UBDX_T_QUEUE])
		return x->stamp[UBDX_T_QUEUE] < y->stamp[UBDX_T_QUEUE] ? -1 : 1;
	return x->seq < y->seq ? -1 : x->seq > y->seq;
}

static void print_text(struct timeline *t, size_t nr, const struct ubdx_trace_done *a)
{
	const __u64 *stamp = a->stamp;
	size_t i;

	printf("%4zu ubdxb%d queue %u tag %u seq %u %s %s sector %llu bytes %u error %d at %llu %s\n",
	       nr + 1, a->dev, a->qid, a->tag, a->seq, ubdx_xfer_name(a->xfer) ?: "?",
	       op_name(a->op), a->sector, a->bytes, a->error,
	       stamp[UBDX_T_QUEUE] - t->list[0].stamp[UBDX_T_QUEUE], t->options->clock);
	for (i = 0; i < ARRAY_SIZE(slices); i++)
		printf("       +%-10llu %-8s %10llu\n", stamp[slices[i].from] - stamp[UBDX_T_QUEUE],
		       slices[i].name, stamp[slices[i].to] - stamp[slices[i].from]);
}

static void write_slice(struct timeline *t, const struct ubdx_trace_done *a, const char *name,
			unsigned int from, unsigned int to, bool request)
{
	uint64_t start = a->stamp[from] - t->list[0].stamp[UBDX_T_QUEUE];

	/* time in the format is microseconds */
	fprintf(t->trace,
		"%s\n{\"ph\": \"X\", \"name\": \"%s\", \"cat\": \"%s\", \"pid\": %d, \"tid\": %u, \"ts\": %.3f, \"dur\": %.3f",
		t->first_slice ? "" : ",", name, ubdx_xfer_name(a->xfer) ?: "?", a->dev,
		(unsigned int)a->qid << 16 | a->tag, start / 1e3,
		(a->stamp[to] - a->stamp[from]) / 1e3);
	if (request)
		fprintf(t->trace,
			", \"args\": {\"seq\": %u, \"sector\": %llu, \"bytes\": %u, \"error\": %d}",
			a->seq, a->sector, a->bytes, a->error);
	fputc('}', t->trace);
	t->first_slice = false;
}

static void write_trace(struct timeline *t)
{
	size_t i, k;

	fprintf(t->trace,
		"{\"displayTimeUnit\": \"ns\", \"otherData\": {\"clock\": \"%s\"}, \"traceEvents\": [",
		t->options->clock);
	t->first_slice = true;
	for (i = 0; i < t->nr; i++) {
		const struct ubdx_trace_done *a = &t->list[i];

		write_slice(t, a, op_name(a->op), UBDX_T_QUEUE, UBDX_T_DONE, true);
		for (k = 0; k < ARRAY_SIZE(slices); k++)
			write_slice(t, a, slices[k].name, slices[k].from, slices[k].to, false);
	}
	fprintf(t->trace, "\n]}\n");
}

/* Print the requests, write the trace file and free @t. Returns 0, or -errno if writing fails. */
int timeline_close(struct timeline *t)
{
	size_t i;
	int ret = 0;

	for (i = 0; i < t->nr; i++) {
		__u64 *stamp = t->list[i].stamp;

		/* a server need not report when it read the descriptor */
		if (stamp[UBDX_T_READ] < stamp[UBDX_T_MOVE] ||
		    stamp[UBDX_T_READ] > stamp[UBDX_T_COMMIT])
			stamp[UBDX_T_READ] = stamp[UBDX_T_MOVE];
	}
	qsort(t->list, t->nr, sizeof(*t->list), by_start);
	for (i = 0; i < t->nr; i++)
		print_text(t, i, &t->list[i]);
	if (t->trace) {
		bool failed;

		write_trace(t);
		failed = ferror(t->trace);
		errno = 0;
		if (fclose(t->trace) || failed)
			ret = errno ? -errno : -EIO;
	}
	free(t->list);
	free(t);
	return ret;
}
