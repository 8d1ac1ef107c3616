// SPDX-License-Identifier: MIT OR LGPL-2.1
/* parse.c - values on the command line are parsed correctly, and everything else is refused. */
#include <errno.h>
#include <stdint.h>
#include <string.h>

#include "cli.h"
#include "tap.h"

static void sizes(void)
{
	static const struct {
		const char *text;
		int ret;
		uint64_t bytes;
	} cases[] = {
		{ "0", 0, 0 },
		{ "512", 0, 512 },
		{ "4K", 0, 4096 },
		{ "4k", 0, 4096 },
		{ "512KiB", 0, 512 << 10 },
		{ "8G", 0, 8ULL << 30 },
		{ "3T", 0, 3ULL << 40 },
		{ "18446744073709551615", 0, UINT64_MAX },
		{ "18446744073709551616", -ERANGE, 0 },
		{ "16777216T", -ERANGE, 0 },
		{ "", -EINVAL, 0 },
		{ "K", -EINVAL, 0 },
		{ "-1", -EINVAL, 0 },
		{ " 1", -EINVAL, 0 },
		{ "+1", -EINVAL, 0 },
		{ "1 K", -EINVAL, 0 },
		{ "8X", -EINVAL, 0 },
		{ "8GG", -EINVAL, 0 },
		{ "8KB", -EINVAL, 0 },
		{ "0x10", -EINVAL, 0 },
		{ "1.5G", -EINVAL, 0 },
	};
	unsigned int i;

	for (i = 0; i < ARRAY_SIZE(cases); i++) {
		uint64_t bytes = 0;
		int ret = parse_size(cases[i].text, &bytes);

		ok(ret == cases[i].ret && (ret || bytes == cases[i].bytes), "size '%s'",
		   cases[i].text);
	}
}

static void numbers(void)
{
	uint64_t n;

	is(parse_number("1", 1, 4096, &n), 0, "the least number");
	is(parse_number("4096", 1, 4096, &n), 0, "the greatest number");
	is(n, 4096, "its value");
	is(parse_number("0", 1, 4096, &n), -ERANGE, "too small");
	is(parse_number("100000", 1, 4096, &n), -ERANGE, "too great");
	is(parse_number("1K", 1, 4096, &n), -EINVAL, "a number has no unit");
	is(parse_number("99999999999999999999", 1, 4096, &n), -ERANGE, "beyond 64 bits");
}

static void cpus(void)
{
	static const unsigned int want[] = { 0, 1, 2, 3, 8, 11, 10 };
	static const char *const bad[] = { "",	  ",", "1,",  ",1",   "1-",	     "-1",
					   "3-1", "a", "1;2", "1--2", "0-4294967295" };
	unsigned int *list;
	unsigned int i;
	size_t nr;

	is(parse_cpus("0-3,8,11,10", &list, &nr), 0, "a list of CPUs");
	ok(nr == ARRAY_SIZE(want) && !memcmp(list, want, sizeof(want)),
	   "the CPUs are in the order given");
	free(list);
	for (i = 0; i < ARRAY_SIZE(bad); i++) {
		ok(parse_cpus(bad[i], &list, &nr) < 0, "'%s' is no list of CPUs", bad[i]);
		free(list);
	}
}

static void devices(void)
{
	static const char *const good[] = { "7", "ubdxb7", "ubdxc7", "/dev/ubdxb7", "/dev/ubdxc7" };
	static const char *const bad[] = { "",	 "ubdxb", "ubdxb7p1",	"/dev/sda",
					   "-1", "ubdx7", "4294967296", "/dev//ubdxb7" };
	unsigned int i;
	int id;

	for (i = 0; i < ARRAY_SIZE(good); i++) {
		id = -1;
		ok(!parse_device(good[i], &id) && id == 7, "'%s' is device 7", good[i]);
	}
	for (i = 0; i < ARRAY_SIZE(bad); i++)
		ok(parse_device(bad[i], &id) < 0, "'%s' is no device", bad[i]);
}

int main(void)
{
	sizes();
	numbers();
	cpus();
	devices();
	return done();
}
