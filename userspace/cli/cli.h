/* SPDX-License-Identifier: MIT OR LGPL-2.1 */
/*
 * cli.h - what the commands of ubdx share: options, values, output, errors.
 *
 * Exit status: 0; EXIT_FAILURE (1) with one line on stderr for each failure; EXIT_USAGE (2) with
 * one line if the command line is wrong.
 */
#ifndef UBDX_CLI_H
#define UBDX_CLI_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <sys/types.h>

#include "libubdx.h"

#define EXIT_USAGE 2

#define ARRAY_SIZE(a) (sizeof(a) / sizeof((a)[0]))

/**
 * struct command - one of ubdx's commands.
 * @name:	as typed.
 * @args:	what follows the name, for help.
 * @summary:	one line for help.
 * @run:	called with the arguments after "ubdx", the name included; returns the exit status.
 */
struct command {
	const char *name;
	const char *args;
	const char *summary;
	int (*run)(const struct command *self, int argc, char **argv);
};

int cmd_add(const struct command *self, int argc, char **argv);
int cmd_recover(const struct command *self, int argc, char **argv);
int cmd_list(const struct command *self, int argc, char **argv);
int cmd_info(const struct command *self, int argc, char **argv);
int cmd_set(const struct command *self, int argc, char **argv);
int cmd_del(const struct command *self, int argc, char **argv);
int cmd_features(const struct command *self, int argc, char **argv);

/* ---- errors.c ---- */

/* Print "ubdx: COMMAND: text" to stderr. Return the exit status. */
int cli_fail(const struct command *cmd, const char *fmt, ...) __attribute__((format(printf, 2, 3)));
int cli_usage(const struct command *cmd, const char *fmt, ...)
	__attribute__((format(printf, 2, 3)));
/* The same, with the library's message. */
int cli_lib_fail(const struct command *cmd);

/* ---- parse.c: 0, -EINVAL, -ERANGE or -ENOMEM ---- */

int parse_number(const char *text, uint64_t min, uint64_t max, uint64_t *value);
int parse_size(const char *text, uint64_t *bytes);
int parse_cpus(const char *text, unsigned int **cpus, size_t *nr);
int parse_device(const char *text, int *id);

/* ---- options.c ---- */

enum option_type {
	OPTION_FLAG, /* int *value = min */
	OPTION_NUMBER, /* uint64_t *value, min … max */
	OPTION_SIZE, /* the same; a number of bytes that may end in K, M, G or T */
	OPTION_STRING, /* const char **value */
	OPTION_GROUP, /* no option: a heading for those that follow */
};

/**
 * struct option_def - a long option. A table of options ends with a zeroed one.
 * @arg:	name of its value, for help.
 * @help:	for help; may have several lines.
 */
struct option_def {
	const char *name;
	enum option_type type;
	void *value;
	uint64_t min;
	uint64_t max;
	const char *arg;
	const char *help;
};

/* Preset in a number, to see whether the command line gives it. */
#define OPTION_UNSET UINT64_MAX

#define OPTION_HEADING(text) { text, OPTION_GROUP }
#define OPTION_SET(name, value, to, help) { name, OPTION_FLAG, value, to, 0, NULL, help }
#define OPTION_TEXT(name, value, arg, help) { name, OPTION_STRING, value, 0, 0, arg, help }
#define OPTION_JSON(value) OPTION_SET("json", value, 1, "print JSON")

/*
 * Parse the options; *@first becomes the index of the first operand. Returns -1 to go on, else the
 * exit status: help was printed, or something was wrong.
 */
int options_parse(const struct command *cmd, const struct option_def *defs, int argc, char **argv,
		  int *first);
/* The same, for a command without operands. */
int options_no_operand(const struct command *cmd, const struct option_def *defs, int argc,
		       char **argv);
/* The same, for a command with one operand, a device. */
int options_one_device(const struct command *cmd, const struct option_def *defs, int argc,
		       char **argv, int *id);
/* Parse an operand that is a device. Returns as options_parse() does. */
int options_device(const struct command *cmd, const char *operand, int *id);

/* ---- output.c: print the same facts as text or as JSON ---- */

#define OUTPUT_LEVELS 8

struct output {
	FILE *file;
	bool json;
	unsigned int level;
	bool started[OUTPUT_LEVELS];
};

void output_begin(struct output *o, const char *key);
void output_end(struct output *o);
void output_string(struct output *o, const char *key, const char *value);
void output_number(struct output *o, const char *key, int64_t value);
void output_bool(struct output *o, const char *key, bool value);
/* A number with a unit; as text, 0 is "none". */
void output_quantity(struct output *o, const char *key, uint64_t value, const char *unit);
/* The same, where UINT32_MAX means that there is no limit: JSON null. */
void output_limit(struct output *o, const char *key, uint32_t value, const char *unit);
/* Text only: print an indented line. */
void output_line(struct output *o, const char *text);
void output_list(struct output *o, const char *key);
void output_list_end(struct output *o);
/* End the document. Returns false if it could not be written. */
bool output_finish(struct output *o);

/* ---- describe.c ---- */

void describe_modes(struct output *o, const char *key, uint64_t modes);
void describe_brief(struct output *o, const struct ubdx_info *info,
		    const struct ubdx_target_info *target_info);
void describe_device(struct output *o, const struct ubdx_info *info,
		     const struct ubdx_target_info *target_info);

/* ---- show.c ---- */

/* Print everything about a device. Returns the exit status. */
int show_device(const struct command *self, int id, bool json);

/* ---- daemon.c ---- */

/**
 * struct report - the server's message to the command: the result of its start.
 * @ret:	0 or a negative errno.
 * @id:		the device.
 * @text:	the error message.
 */
struct report {
	int ret;
	int id;
	char text[256];
};

/* How long a server that was killed may take to close its file. */
#define FILE_WAIT_MS 10000

int daemon_fork(int *reporter);
int daemon_wait(pid_t child, int reader, struct report *report);
void daemon_detach(void);
void daemon_log(void *arg, int priority, const char *text);

/* ---- mounts.c ---- */

void mounts_leave(void);

/* ---- server_args.c ---- */

/**
 * struct server_args - the options of the commands that start a server.
 * @targets:	names of the targets.
 * @target_help: help of --target.
 * @modes:	names of the transfer modes.
 * @xfer_help:	help of --xfer.
 */
struct server_args {
	const char *target, *file, *xfer, *offer, *cpus;
	uint64_t prefault;
	int direct, no_discard, foreground, json;
	char targets[128], target_help[640], modes[160], xfer_help[320];
};

/* Rows for a command's table of options. */
#define OPTIONS_TARGET(a)                                                                        \
	OPTION_HEADING("Target"), OPTION_TEXT("target", &(a)->target, "NAME", (a)->target_help), \
		OPTION_TEXT("file", &(a)->file, "PATH", "file or block device behind loop"),     \
		OPTION_SET("direct", &(a)->direct, 1, "bypass the page cache of the file"),      \
		OPTION_SET("no-discard", &(a)->no_discard, 1,                                    \
			   "never deallocate space (no DISCARD, no unmap)")

#define OPTIONS_MODES(a)                                                                           \
	OPTION_HEADING("Transfer modes"), OPTION_TEXT("xfer", &(a)->xfer, "MODE", (a)->xfer_help), \
		OPTION_TEXT("offer", &(a)->offer, "MODE,...",                                      \
			    "modes that the server offers; must include copy or user (all)")

#define OPTIONS_SERVER(a)                                                         \
	OPTION_TEXT("cpus", &(a)->cpus, "LIST",                                   \
		    "pin queue threads to these CPUs, round-robin (e.g. 0-3,8)"), \
		{ "prefault",                                                     \
		  OPTION_SIZE,                                                    \
		  &(a)->prefault,                                                 \
		  0,                                                              \
		  UBDX_MAX_IO_BYTES,                                              \
		  "SIZE",                                                         \
		  "bytes of each buffer to prefault" },                           \
		OPTION_SET("foreground", &(a)->foreground, 1,                     \
			   "run in the foreground, log to stderr"),               \
		OPTION_JSON(&(a)->json)

void server_args_init(struct server_args *a);
/*
 * Check the options, and set @opts accordingly. The caller frees *@cpus when the server has ended.
 * Returns -1 to go on, else the exit status.
 */
int server_args_apply(const struct command *self, const struct server_args *a,
		      struct ubdx_server_opts *opts, unsigned int **cpus);

/* ---- serve.c ---- */

/**
 * struct serving - a server process.
 * @self, @json: the command that starts the server, and whether it prints JSON.
 * @is_new:	add the device; otherwise it exists, and waits for a server.
 * @open_target: opens @target and fills in @params, in the server's process.
 * @args:	for @open_target.
 * @log:	writes a message to stderr, or to the system's log once the server is in the
 *		background.
 * @reporter:	pipe to the command that waits for a report; -1 in the foreground.
 * @asked:	SIGTERM or SIGINT has come; the next one means force.
 * @warnings:	of ubdx_process_prepare(); logged if the start succeeds, dropped if it fails.
 */
struct serving {
	const struct command *self;
	bool json;
	bool is_new;
	int (*open_target)(struct serving *s);
	const void *args;
	struct ubdx_target *target;
	struct ubdx_server_opts opts;
	struct ubdx_params params;
	ubdx_log_fn log;
	bool asked;
	int reporter;
	char warnings[512];
};

int serve_device(struct serving *s, bool foreground);

#endif /* UBDX_CLI_H */
