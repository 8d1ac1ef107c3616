// SPDX-License-Identifier: MIT OR LGPL-2.1
/*
 * errors.c - print the one line of a failing command, and return its exit status.
 */
#include <stdarg.h>
#include <stdlib.h>

#include "cli.h"

static void print_error(const struct command *cmd, const char *fmt, va_list args)
{
	fflush(stdout);
	fprintf(stderr, "ubdx: ");
	if (cmd)
		fprintf(stderr, "%s: ", cmd->name);
	vfprintf(stderr, fmt, args);
}

int cli_fail(const struct command *cmd, const char *fmt, ...)
{
	va_list args;

	va_start(args, fmt);
	print_error(cmd, fmt, args);
	va_end(args);
	fputc('\n', stderr);
	return EXIT_FAILURE;
}

int cli_usage(const struct command *cmd, const char *fmt, ...)
{
	va_list args;

	va_start(args, fmt);
	print_error(cmd, fmt, args);
	va_end(args);
	fprintf(stderr, "; see ubdx %s%s--help\n", cmd ? cmd->name : "", cmd ? " " : "");
	return EXIT_USAGE;
}

int cli_lib_fail(const struct command *cmd)
{
	return cli_fail(cmd, "%s", ubdx_errmsg());
}
