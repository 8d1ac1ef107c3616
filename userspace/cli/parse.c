// SPDX-License-Identifier: MIT OR LGPL-2.1
/*
 * parse.c - parse the values of options, and the names of devices. No other text may follow.
 */
#include <ctype.h>
#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "cli.h"

/* Parse the digits at the start of *@text, and move *@text behind them. */
static int parse_digits(const char **text, uint64_t *value)
{
	char *end;

	/* strtoull() would accept blanks and signs. */
	if (!isdigit((unsigned char)**text))
		return -EINVAL;
	errno = 0;
	*value = strtoull(*text, &end, 10);
	*text = end;
	return errno ? -ERANGE : 0;
}

/**
 * parse_number() - a decimal number, @min … @max.
 */
int parse_number(const char *text, uint64_t min, uint64_t max, uint64_t *value)
{
	int ret = parse_digits(&text, value);

	if (ret)
		return ret;
	if (*text)
		return -EINVAL;
	return *value < min || *value > max ? -ERANGE : 0;
}

/**
 * parse_size() - bytes: a number that may end in K, M, G or T (powers of 1024), or KiB and so on.
 */
int parse_size(const char *text, uint64_t *bytes)
{
	static const char units[] = "KMGT";
	const char *unit;
	unsigned int shift;
	int ret = parse_digits(&text, bytes);

	if (ret)
		return ret;
	if (!*text)
		return 0;
	unit = strchr(units, toupper((unsigned char)*text));
	if (!unit || (text[1] && strcmp(text + 1, "iB")))
		return -EINVAL;
	shift = 10 * (unit - units + 1);
	if (*bytes > UINT64_MAX >> shift)
		return -ERANGE;
	*bytes <<= shift;
	return 0;
}

/* No machine has a CPU with a larger number. */
#define MAX_CPU 65535

static int add_cpus(uint64_t from, uint64_t to, unsigned int **cpus, size_t *nr)
{
	unsigned int *more;

	if (from > to || to > MAX_CPU)
		return -ERANGE;
	more = realloc(*cpus, (*nr + to - from + 1) * sizeof(**cpus));
	if (!more)
		return -ENOMEM;
	*cpus = more;
	while (from <= to)
		more[(*nr)++] = from++;
	return 0;
}

/**
 * parse_cpus() - parse a list such as 0-3,8,10-11, and keep its order.
 * @cpus: out: the caller frees it, also after an error.
 */
int parse_cpus(const char *text, unsigned int **cpus, size_t *nr)
{
	*cpus = NULL;
	*nr = 0;
	for (;;) {
		uint64_t from, to;
		int ret = parse_digits(&text, &from);

		to = from;
		if (!ret && *text == '-') {
			text++;
			ret = parse_digits(&text, &to);
		}
		if (!ret)
			ret = add_cpus(from, to, cpus, nr);
		if (ret)
			return ret;
		if (!*text)
			return 0;
		if (*text++ != ',')
			return -EINVAL;
	}
}

/**
 * parse_device() - the number of a device given as N, ubdxbN or ubdxcN, with or without /dev/.
 */
int parse_device(const char *text, int *id)
{
	uint64_t number;
	int ret;

	if (!strncmp(text, "/dev/", 5))
		text += 5;
	if (!strncmp(text, "ubdxb", 5) || !strncmp(text, "ubdxc", 5))
		text += 5;
	ret = parse_number(text, 0, INT32_MAX, &number);
	if (!ret)
		*id = number;
	return ret;
}
