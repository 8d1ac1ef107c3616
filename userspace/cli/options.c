// SPDX-License-Identifier: MIT OR LGPL-2.1
/*
 * options.c - the options of a command, from a table that is also its help.
 */
#include <errno.h>
#include <getopt.h>
#include <stdlib.h>
#include <string.h>

#include "cli.h"

#define MAX_OPTIONS 32

/* Above any character, so that it is told from what getopt_long() says itself. */
#define OPTION_BASE 1000
#define OPTION_HELP (OPTION_BASE + MAX_OPTIONS)

static void print_help(const struct command *cmd, const struct option_def *def)
{
	printf("usage: ubdx %s [OPTION...]%s%s\n%s.\n\n", cmd->name, *cmd->args ? " " : "",
	       cmd->args, cmd->summary);
	for (; def->name; def++) {
		char text[40];

		snprintf(text, sizeof(text), "--%s%s%s", def->name, def->arg ? " " : "",
			 def->arg ? def->arg : "");
		printf("  %-28s %s\n", text, def->help);
	}
	printf("  %-28s %s\n", "--help", "this text");
}

static int bad_value(const struct command *cmd, const struct option_def *def, const char *text,
		     int err)
{
	if (err == -ERANGE)
		return cli_usage(cmd, "--%s %s is out of range, %llu to %llu", def->name, text,
				 (unsigned long long)def->min, (unsigned long long)def->max);
	return cli_usage(cmd, "--%s %s is not a %s", def->name, text,
			 def->type == OPTION_SIZE ? "size, such as 4096, 512K or 8G" : "number");
}

/* -1 or the exit status. */
static int set_option(const struct command *cmd, const struct option_def *def, const char *text)
{
	uint64_t *number = def->value;
	int ret = 0;

	switch (def->type) {
	case OPTION_FLAG:
		*(int *)def->value = def->min;
		break;
	case OPTION_STRING:
		*(const char **)def->value = text;
		break;
	case OPTION_NUMBER:
		ret = parse_number(text, def->min, def->max, number);
		break;
	case OPTION_SIZE:
		ret = parse_size(text, number);
		if (!ret && (*number < def->min || *number > def->max))
			ret = -ERANGE;
		break;
	}
	return ret ? bad_value(cmd, def, text, ret) : -1;
}

int options_parse(const struct command *cmd, const struct option_def *defs, int argc, char **argv,
		  int *first)
{
	struct option longs[MAX_OPTIONS + 2] = { 0 };
	unsigned int nr;
	int got, ret;

	for (nr = 0; defs[nr].name && nr < MAX_OPTIONS; nr++)
		longs[nr] = (struct option){
			.name = defs[nr].name,
			.has_arg = defs[nr].type == OPTION_FLAG ? no_argument : required_argument,
			.val = OPTION_BASE + nr,
		};
	longs[nr] = (struct option){ "help", no_argument, NULL, OPTION_HELP };

	opterr = 0;
	while ((got = getopt_long(argc, argv, ":h", longs, NULL)) >= 0) {
		switch (got) {
		case 'h':
		case OPTION_HELP:
			print_help(cmd, defs);
			return EXIT_SUCCESS;
		case ':':
			return cli_usage(cmd, "%s needs a value", argv[optind - 1]);
		case '?':
			/* A flag that was given a value comes here too. */
			return cli_usage(cmd, "unknown option %s", argv[optind - 1]);
		}
		ret = set_option(cmd, &defs[got - OPTION_BASE], optarg);
		if (ret >= 0)
			return ret;
	}
	*first = optind;
	return -1;
}

int options_device(const struct command *cmd, const char *operand, int *id)
{
	if (parse_device(operand, id))
		return cli_usage(cmd, "%s is not a device, such as 0 or ubdxb0", operand);
	return -1;
}

int options_one_device(const struct command *cmd, const struct option_def *defs, int argc,
		       char **argv, int *id)
{
	int first, ret;

	ret = options_parse(cmd, defs, argc, argv, &first);
	if (ret >= 0)
		return ret;
	if (argc - first != 1)
		return cli_usage(cmd, "takes one device");
	return options_device(cmd, argv[first], id);
}
