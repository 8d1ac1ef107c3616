// SPDX-License-Identifier: MIT OR LGPL-2.1
/*
 * error.c - the sentence that goes with a negative errno. One per thread, no locking.
 */
#include <errno.h>
#include <stdarg.h>
#include <stdio.h>

#include "lib.h"

static _Thread_local char ubdx_message[256];

const char *ubdx_errmsg(void)
{
	return ubdx_message;
}

int ubdx_fail(int err, const char *fmt, ...)
{
	va_list args;

	errno = -err;
	va_start(args, fmt);
	vsnprintf(ubdx_message, sizeof(ubdx_message), fmt, args);
	va_end(args);
	return err;
}

static void ubdx_log_stderr(void *arg, int priority, const char *text)
{
	fprintf(stderr, "ubdx: %s\n", text);
}

void ubdx_log(const struct ubdx_logger *logger, int priority, const char *fmt, ...)
{
	ubdx_log_fn log = logger->log ? logger->log : ubdx_log_stderr;
	char text[256];
	va_list args;

	va_start(args, fmt);
	vsnprintf(text, sizeof(text), fmt, args);
	va_end(args);
	log(logger->arg, priority, text);
}
