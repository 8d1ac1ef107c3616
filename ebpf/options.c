// SPDX-License-Identifier: GPL-2.0
/*
 * options.c - ubdx-trace's command line: options and error messages.
 */
#include <argp.h>
#include <errno.h>
#include <limits.h>
#include <stdarg.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "stats.h"

int trace_fail(const char *fmt, ...)
{
	va_list args;

	va_start(args, fmt);
	fputs("ubdx-trace: ", stderr);
	vfprintf(stderr, fmt, args);
	fputc('\n', stderr);
	va_end(args);
	return EXIT_FAILURE;
}

static const char *const op_names[] = {
	[UBDX_OP_READ] = "read",
	[UBDX_OP_WRITE] = "write",
	[UBDX_OP_FLUSH] = "flush",
	[UBDX_OP_DISCARD] = "discard",
	[UBDX_OP_WRITE_ZEROES] = "write_zeroes",
};

const char *op_name(unsigned int op)
{
	return op < ARRAY_SIZE(op_names) ? op_names[op] : "?";
}

int op_by_name(const char *name)
{
	unsigned int i;

	for (i = 0; i < ARRAY_SIZE(op_names); i++)
		if (!strcmp(name, op_names[i]))
			return i;
	return -EINVAL;
}

const char *argp_program_version = "ubdx-trace " UBDX_TRACE_VERSION;

enum {
	OPT_OP = 256,
	OPT_XFER,
	OPT_SIZE,
	OPT_EVENTS,
	OPT_DURATION,
	OPT_COUNT,
	OPT_LIVE,
	OPT_JSON,
	OPT_CSV,
	OPT_HISTOGRAM,
	OPT_TIMELINE,
	OPT_TRACE_FILE,
	OPT_COST,
	OPT_CLOCK,
};

static const struct argp_option option_list[] = {
	{ 0, 0, 0, 0, "Which requests:", 1 },
	{ "op", OPT_OP, "OP,...", 0, "read, write, flush, discard, write_zeroes", 1 },
	{ "xfer", OPT_XFER, "MODE,...", 0, "transfer modes", 1 },
	{ "size", OPT_SIZE, "MIN[-MAX]", 0, "bytes: exactly 4K, or a range such as 64K-1M", 1 },
	{ 0, 0, 0, 0, "How long (default: until COMMAND ends, or ^C):", 2 },
	{ "duration", OPT_DURATION, "SECONDS", 0, "stop after SECONDS", 2 },
	{ "count", OPT_COUNT, "N", 0,
	  "stop after N requests (only those that --op, --xfer and --size select)", 2 },
	{ 0, 0, 0, 0, "What:", 3 },
	{ "events", OPT_EVENTS, "SET,...", 0,
	  "cpu (switches, wake-ups, CPU time; the default), syscalls, uring (SQEs, CQEs, io-wq), memory (page faults, TLB flushes), block (bios and requests), all, none",
	  3 },
	{ "histogram", OPT_HISTOGRAM, 0, 0, "print a histogram of each stage", 3 },
	{ "timeline", OPT_TIMELINE, "N", 0, "print the stages of the first N complete requests",
	  3 },
	{ "trace-file", OPT_TRACE_FILE, "FILE", 0,
	  "with --timeline: also write a trace for Perfetto", 3 },
	{ "cost", OPT_COST, 0, 0, "measure each BPF program of this tool", 3 },
	{ 0, 0, 0, 0, "Output:", 4 },
	{ "live", OPT_LIVE, 0, 0,
	  "refresh each second until q or ^C; the default on a terminal without COMMAND, --json, --csv, --timeline, --duration and --count",
	  4 },
	{ "json", OPT_JSON, 0, 0, "print JSON", 4 },
	{ "csv", OPT_CSV, 0, 0, "print CSV: one line per stage and per figure", 4 },
	{ "clock", OPT_CLOCK, "UNIT", 0,
	  "unit of the clock: ns, or instructions (the default if UBDX_CLOCK=count)", 4 },
	{ 0 }
};

static int parse_bytes(const char *text, char **end, uint32_t *bytes)
{
	unsigned long long value;
	unsigned int shift = 0;

	errno = 0;
	value = strtoull(text, end, 10);
	if (*end == text || errno || *text == '-')
		return -EINVAL;
	if (**end == 'K' || **end == 'k')
		shift = 10;
	else if (**end == 'M' || **end == 'm')
		shift = 20;
	if (shift)
		(*end)++;
	if (value > UINT32_MAX >> shift)
		return -EINVAL;
	*bytes = value << shift;
	return 0;
}

static int parse_range(const char *text, struct options *o)
{
	char *end;

	if (parse_bytes(text, &end, &o->min_bytes))
		return -EINVAL;
	o->max_bytes = o->min_bytes;
	if (*end == '-') {
		o->max_bytes = UINT32_MAX;
		if (*++end && parse_bytes(end, &end, &o->max_bytes))
			return -EINVAL;
	}
	return *end || o->max_bytes < o->min_bytes ? -EINVAL : 0;
}

bool is_filtered(const struct options *o)
{
	return ~(o->ops & o->modes) || o->min_bytes || o->max_bytes != UINT32_MAX;
}

static int set_by_name(const char *name)
{
	static const struct {
		const char *name;
		int set;
	} sets[] = {
		{ "cpu", SET_CPU },	{ "syscalls", SET_SYSCALLS },
		{ "uring", SET_URING }, { "memory", SET_MEMORY },
		{ "block", SET_BLOCK }, { "all", SET_ALL },
		{ "none", 0 },
	};
	size_t i;

	for (i = 0; i < ARRAY_SIZE(sets); i++)
		if (!strcmp(name, sets[i].name))
			return sets[i].set;
	return -EINVAL;
}

/* Parse a list of names into a bit set. @by_name returns bits if @bits, otherwise bit numbers. */
static void parse_list(struct argp_state *state, const char *what, char *list,
		       int (*by_name)(const char *), bool bits, uint32_t *set)
{
	char *name, *rest = NULL;

	*set = 0;
	for (name = strtok_r(list, ",", &rest); name; name = strtok_r(NULL, ",", &rest)) {
		int found = by_name(name);

		if (found < 0)
			argp_error(state, "--%s: there is no %s", what, name);
		*set |= bits ? (uint32_t)found : 1U << found;
	}
}

static void parse_device(struct argp_state *state, const char *text, int *dev)
{
	const char *digits = text;
	long value;
	char *end;

	if (!strncmp(digits, "/dev/", 5))
		digits += 5;
	if (!strncmp(digits, "ubdxb", 5))
		digits += 5;
	value = strtol(digits, &end, 10);
	if (end == digits || *end || value < 0 || value > INT_MAX)
		argp_error(state, "%s is not a device name, such as ubdxb0", text);
	*dev = value;
}

static uint64_t parse_count(struct argp_state *state, const char *text, uint64_t most)
{
	unsigned long long value;
	char *end;

	errno = 0;
	value = strtoull(text, &end, 10);
	if (*end || errno || !value || value > most || *text == '-')
		argp_error(state, "%s is not a number of requests", text);
	return value;
}

static error_t parse_option(int key, char *arg, struct argp_state *state)
{
	struct options *o = state->input;
	char *end;

	switch (key) {
	case OPT_OP:
		parse_list(state, "op", arg, op_by_name, false, &o->ops);
		break;
	case OPT_XFER:
		parse_list(state, "xfer", arg, ubdx_xfer_by_name, false, &o->modes);
		break;
	case OPT_EVENTS:
		parse_list(state, "events", arg, set_by_name, true, &o->sets);
		break;
	case OPT_SIZE:
		if (parse_range(arg, o))
			argp_error(state, "--size %s is not a size or range, such as 4K or 64K-1M",
				   arg);
		break;
	case OPT_DURATION:
		o->duration = strtod(arg, &end);
		if (*end || !(o->duration > 0))
			argp_error(state, "--duration %s is not a time in seconds", arg);
		break;
	case OPT_COUNT:
		o->count = parse_count(state, arg, UINT64_MAX);
		break;
	case OPT_TIMELINE:
		o->timeline = parse_count(state, arg, 100000);
		break;
	case OPT_LIVE:
		o->live = true;
		break;
	case OPT_JSON:
		o->json = true;
		break;
	case OPT_CSV:
		o->csv = true;
		break;
	case OPT_HISTOGRAM:
		o->histogram = true;
		break;
	case OPT_TRACE_FILE:
		o->trace_file = arg;
		break;
	case OPT_COST:
		o->cost = true;
		break;
	case OPT_CLOCK:
		if (strcmp(arg, "ns") && strcmp(arg, "instructions"))
			argp_error(state, "--clock is ns or instructions, not %s", arg);
		o->clock = arg;
		break;
	case ARGP_KEY_ARG:
		if (state->quoted && state->next > state->quoted) {
			o->command = &state->argv[state->next - 1];
			state->next = state->argc;
			break;
		}
		if (o->dev >= 0)
			argp_error(state, "give one device, or none to trace all");
		parse_device(state, arg, &o->dev);
		break;
	case ARGP_KEY_END:
		if (o->trace_file && !o->timeline)
			argp_error(state, "--trace-file needs --timeline N");
		if (o->timeline && o->count)
			argp_error(state,
				   "--timeline N already stops after N requests; drop --count");
		if (o->json && o->csv)
			argp_error(state, "give --json or --csv, not both");
		if (o->live && (o->json || o->csv || o->timeline || o->command))
			argp_error(
				state,
				"--live can't be combined with --json, --csv, --timeline or COMMAND");
		if (o->timeline && (o->json || o->csv))
			argp_error(state, "--timeline prints text; use --trace-file for JSON");
		if (!o->duration && !o->count && !o->timeline && !o->json && !o->csv &&
		    !o->command && isatty(STDOUT_FILENO))
			o->live = true;
		break;
	default:
		return ARGP_ERR_UNKNOWN;
	}
	return 0;
}

static const struct argp parser = {
	.options = option_list,
	.parser = parse_option,
	.args_doc = "[DEVICE] [-- COMMAND...]",
	.doc = "Show the cost of requests on ubdx devices, stage by stage. With COMMAND: run it, trace until it ends, and "
	       "exit with its status. If --duration, --count or --timeline is reached first, COMMAND gets SIGTERM and the "
	       "exit status is 0. If the device is gone first, the exit status is 1.\v"
	       "Stages: publish (T0-T1: until the channel has the request), deliver (T1-T2: until the server's task has it), "
	       "move (T2-T4: payload copied or mapped), serve (T4-T5: the server), release (T5-T6: payload copied back or "
	       "unmapped), end (T6-T7). docs/tracing.md has an example.",
};

/* Exits with EXIT_USAGE and a message if the options are wrong. */
void parse_options(int argc, char **argv, struct options *o)
{
	argp_err_exit_status = EXIT_USAGE;
	argp_parse(&parser, argc, argv, ARGP_IN_ORDER, NULL, o);
}
