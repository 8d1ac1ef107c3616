/* SPDX-License-Identifier: GPL-2.0 OR MIT */
/*
 * tap.h - the Test Anything Protocol for test programs in C: the unit tests, and the tests in the
 * guest. A test calls ok() once for each property; main() ends with return done(). With FAIL_FAST
 * in the environment a test ends at its first failure.
 */
#ifndef UBDX_TAP_H
#define UBDX_TAP_H

#include <stdarg.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>

static int tap_count, tap_failed;

static inline int done(void)
{
	printf("1..%d\n", tap_count);
	return tap_failed ? 1 : 0;
}

static inline bool __attribute__((format(printf, 2, 3))) ok(bool good, const char *fmt, ...)
{
	va_list ap;

	printf("%sok %d - ", good ? "" : "not ", ++tap_count);
	va_start(ap, fmt);
	vprintf(fmt, ap);
	va_end(ap);
	printf("\n");
	fflush(stdout);
	tap_failed += !good;
	if (!good && getenv("FAIL_FAST"))
		exit(done());
	return good;
}

/* Like ok(), for two numbers that must be the same. Prints both if they differ. */
static inline bool is(long long got, long long want, const char *what)
{
	bool good = ok(got == want, "%s", what);

	if (!good)
		printf("#   got %lld, wanted %lld\n", got, want);
	fflush(stdout);
	return good;
}

/* Report all tests of the program as skipped, and exit. */
static inline void __attribute__((noreturn)) skip_all(const char *why)
{
	printf("ok 1 - all of it # SKIP %s\n1..1\n", why);
	exit(0);
}

/*
 * End the program as failed: the rest of it can't run. This isn't TAP's "Bail out!", which ends all
 * tests.
 */
static inline void __attribute__((noreturn, format(printf, 1, 2))) bail(const char *fmt, ...)
{
	va_list ap;

	printf("not ok %d - ", ++tap_count);
	va_start(ap, fmt);
	vprintf(fmt, ap);
	va_end(ap);
	printf("; the rest could not be tried\n1..%d\n", tap_count);
	exit(1);
}

#endif /* UBDX_TAP_H */
