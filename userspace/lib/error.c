// SPDX-License-Identifier: MIT OR LGPL-2.1
/*
 * error.c - each thread's message about its last failure, and the log of a running server.
 */
#include <errno.h>
#include <stdarg.h>
#include <stdio.h>
#include <time.h>

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

static void ubdx_vlog(const struct ubdx_logger *logger, int priority, const char *suffix,
		      const char *fmt, va_list args)
{
	ubdx_log_fn log = logger->log ? logger->log : ubdx_log_stderr;
	char message[256], text[320];

	vsnprintf(message, sizeof(message), fmt, args);
	snprintf(text, sizeof(text), "%s%s", message, suffix);
	log(logger->arg, priority, text);
}

void ubdx_log(const struct ubdx_logger *logger, int priority, const char *fmt, ...)
{
	va_list args;

	va_start(args, fmt);
	ubdx_vlog(logger, priority, "", fmt, args);
	va_end(args);
}

uint64_t ubdx_coarse_ns(void)
{
	struct timespec now;

	clock_gettime(CLOCK_MONOTONIC_COARSE, &now);
	return now.tv_sec * 1000000000ULL + now.tv_nsec;
}

/* At most one message of a kind in five seconds. */
#define UBDX_LOG_INTERVAL_NS 5000000000ULL

void ubdx_log_limited(const struct ubdx_logger *logger, struct ubdx_log_limit *limit, int priority,
		      const char *fmt, ...)
{
	uint64_t now = ubdx_coarse_ns();
	char suffix[48] = "";
	va_list args;

	if (now < limit->until) {
		limit->dropped++;
		return;
	}
	if (limit->dropped)
		snprintf(suffix, sizeof(suffix), " (and %u times before)", limit->dropped);
	limit->until = now + UBDX_LOG_INTERVAL_NS;
	limit->dropped = 0;
	va_start(args, fmt);
	ubdx_vlog(logger, priority, suffix, fmt, args);
	va_end(args);
}
