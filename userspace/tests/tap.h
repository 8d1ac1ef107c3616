/* SPDX-License-Identifier: MIT OR LGPL-2.1 */
/*
 * tap.h - a test program's TAP output. Each has one main(), which ends with return tap_done().
 */
#ifndef UBDX_TAP_H
#define UBDX_TAP_H

#include <stdarg.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>

static unsigned int tap_nr, tap_failed;

static void tap_ok(bool ok, const char *fmt, ...) __attribute__((format(printf, 2, 3)));

static inline void tap_ok(bool ok, const char *fmt, ...)
{
	va_list args;

	printf("%sok %u - ", ok ? "" : "not ", ++tap_nr);
	va_start(args, fmt);
	vprintf(fmt, args);
	va_end(args);
	putchar('\n');
	fflush(stdout);
	tap_failed += !ok;
}

/* Two numbers that should be the same. */
static inline void tap_is(long long got, long long want, const char *what)
{
	tap_ok(got == want, "%s", what);
	if (got != want)
		printf("# got %lld, want %lld\n", got, want);
}

static inline int tap_done(void)
{
	printf("1..%u\n", tap_nr);
	return tap_failed ? EXIT_FAILURE : EXIT_SUCCESS;
}

static inline void tap_skip_all(const char *why)
{
	printf("1..0 # SKIP %s\n", why);
	exit(EXIT_SUCCESS);
}

#endif /* UBDX_TAP_H */
