// SPDX-License-Identifier: GPL-2.0
/*
 * timeline.c - the anatomy of single requests, as text and as a trace file in the JSON format that
 * Perfetto and chrome://tracing open: one track a tag, one slice a stage.
 */
#include <errno.h>
#include <inttypes.h>
#include <stdlib.h>
#include <string.h>

#include "trace.h"

struct timeline {
	const struct options *options;
	FILE *trace;
	uint64_t first; /* stamp that times are relative to */
	unsigned int seen;
};

static const struct {
	const char *name;
	unsigned int from, to;
} slices[] = {
	{ "publish", STAMP_QUEUE, STAMP_PUBLISH }, { "deliver", STAMP_PUBLISH, STAMP_DELIVER },
	{ "move", STAMP_DELIVER, STAMP_MOVE },	   { "wake", STAMP_MOVE, STAMP_READ },
	{ "serve", STAMP_READ, STAMP_COMMIT },	   { "release", STAMP_COMMIT, STAMP_RELEASE },
	{ "end", STAMP_RELEASE, STAMP_DONE },
};

/* NULL if the trace file can't be made. */
struct timeline *timeline_open(const struct options *o)
{
	struct timeline *t = calloc(1, sizeof(*t));

	if (!t)
		return NULL;
	t->options = o;
	if (o->trace_file) {
		t->trace = fopen(o->trace_file, "we");
		if (!t->trace) {
			free(t);
			return NULL;
		}
		fprintf(t->trace,
			"{\"displayTimeUnit\": \"ns\", \"otherData\": {\"clock\": \"%s\"}, \"traceEvents\": [",
			o->clock);
	}
	return t;
}

static void print_text(struct timeline *t, const struct anatomy *a, const uint64_t *stamp)
{
	size_t i;

	printf("%4u ubdxb%d queue %u tag %u seq %u %s %s sector %llu bytes %u error %d at %" PRIu64
	       " %s\n",
	       t->seen, a->dev, a->queue, a->tag, a->seq, ubdx_xfer_name(a->xfer) ?: "?",
	       op_name(a->op), a->sector, a->bytes, a->error, stamp[STAMP_QUEUE] - t->first,
	       t->options->clock);
	for (i = 0; i < ARRAY_SIZE(slices); i++)
		printf("       +%-10" PRIu64 " %-8s %10" PRIu64 "\n",
		       stamp[slices[i].from] - stamp[STAMP_QUEUE], slices[i].name,
		       stamp[slices[i].to] - stamp[slices[i].from]);
}

static void write_slice(struct timeline *t, const struct anatomy *a, const char *name,
			uint64_t from, uint64_t to, bool first)
{
	/* time in the format is microseconds */
	fprintf(t->trace,
		"%s\n{\"ph\": \"X\", \"name\": \"%s\", \"cat\": \"%s\", \"pid\": %d, \"tid\": %u, \"ts\": %.3f, \"dur\": %.3f",
		first ? "" : ",", name, ubdx_xfer_name(a->xfer) ?: "?", a->dev,
		(unsigned int)a->queue << 16 | a->tag, (from - t->first) / 1e3, (to - from) / 1e3);
	if (!strcmp(name, op_name(a->op)))
		fprintf(t->trace,
			", \"args\": {\"seq\": %u, \"sector\": %llu, \"bytes\": %u, \"error\": %d}",
			a->seq, a->sector, a->bytes, a->error);
	fputc('}', t->trace);
}

void timeline_add(struct timeline *t, const struct anatomy *a)
{
	uint64_t stamp[NR_STAMPS];
	bool whole = true;
	size_t i;

	memcpy(stamp, a->stamp, sizeof(stamp));
	/* The server needn't say when it has read the descriptor. */
	if (stamp[STAMP_READ] < stamp[STAMP_MOVE] || stamp[STAMP_READ] > stamp[STAMP_COMMIT])
		stamp[STAMP_READ] = stamp[STAMP_MOVE];
	for (i = 0; i < ARRAY_SIZE(slices); i++)
		whole = whole && stamp[slices[i].from] &&
			stamp[slices[i].from] <= stamp[slices[i].to];
	if (!t->seen)
		t->first = stamp[STAMP_QUEUE];
	t->seen++;
	if (!whole || stamp[STAMP_QUEUE] < t->first) {
		printf("%4u ubdxb%d queue %u tag %u seq %u: stamps are missing, out of order, or from before the first\n",
		       t->seen, a->dev, a->queue, a->tag, a->seq);
		return;
	}
	print_text(t, a, stamp);
	if (!t->trace)
		return;
	write_slice(t, a, op_name(a->op), stamp[STAMP_QUEUE], stamp[STAMP_DONE], t->seen == 1);
	for (i = 0; i < ARRAY_SIZE(slices); i++)
		write_slice(t, a, slices[i].name, stamp[slices[i].from], stamp[slices[i].to],
			    false);
}

/* 0, or a negative errno if the trace file could not be written. */
int timeline_close(struct timeline *t)
{
	int ret = 0;

	if (t->trace) {
		fprintf(t->trace, "\n]}\n");
		errno = 0;
		if (ferror(t->trace) | fclose(t->trace))
			ret = errno ? -errno : -EIO;
	}
	free(t);
	return ret;
}
