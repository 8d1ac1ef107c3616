// SPDX-License-Identifier: MIT OR LGPL-2.1
/*
 * options.c - parse the options of a command, and print its help, from one table.
 */
#include <errno.h>
#include <getopt.h>
#include <stdlib.h>
#include <string.h>

#include "cli.h"

#define MAX_OPTIONS 64

/* What getopt_long() returns for the options here: larger than any character. */
#define OPTION_BASE 1000
#define OPTION_HELP (OPTION_BASE + MAX_OPTIONS)

#define HELP_COLUMN 31

/* Further lines of @help are indented as the first one. */
static void print_option(const char *name, const char *arg, const char *help)
{
	int width = printf("  --%s%s%s", name, arg ? " " : "", arg ? arg : "");

	for (;;) {
		int length = strcspn(help, "\n");

		printf("%*s %.*s\n", HELP_COLUMN - 1 > width ? HELP_COLUMN - 1 - width : 0, "",
		       length, help);
		if (!help[length])
			return;
		help += length + 1;
		width = 0;
	}
}

static void print_help(const struct command *cmd, const struct option_def *def)
{
	printf("usage: ubdx %s %s\n%s.\n\n", cmd->name, cmd->args, cmd->summary);
	for (; def->name; def++) {
		if (def->type == OPTION_GROUP)
			printf("%s:\n", def->name);
		else
			print_option(def->name, def->arg, def->help);
	}
	print_option("help", NULL, "show this text");
}

static int bad_value(const struct command *cmd, const struct option_def *def, const char *text,
		     int err)
{
	if (err == -ERANGE)
		return cli_usage(cmd, "--%s must be between %llu and %llu", def->name,
				 (unsigned long long)def->min, (unsigned long long)def->max);
	return cli_usage(cmd, "--%s %s is not a %s", def->name, text,
			 def->type == OPTION_SIZE ? "size, such as 4096, 512K or 8G" : "number");
}

/* getopt_long() has refused an option. optopt: its character or number; 0: unknown long option. */
static int bad_option(const struct command *cmd, const struct option_def *defs, char **argv)
{
	if (optopt >= OPTION_HELP)
		return cli_usage(cmd, "--help takes no value");
	if (optopt >= OPTION_BASE)
		return cli_usage(cmd, "--%s takes no value", defs[optopt - OPTION_BASE].name);
	if (optopt)
		return cli_usage(cmd, "unknown option -%c", optopt);
	return cli_usage(cmd, "unknown option %s", argv[optind - 1]);
}

/* Returns as options_parse() does. */
static int set_option(const struct command *cmd, const struct option_def *def, const char *text)
{
	uint64_t *number = def->value;
	int ret = 0;

	switch (def->type) {
	case OPTION_GROUP:
		break;
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
	unsigned int i, nr = 0;
	int got, ret;

	for (i = 0; defs[i].name && i < MAX_OPTIONS; i++) {
		if (defs[i].type == OPTION_GROUP)
			continue;
		longs[nr++] = (struct option){
			.name = defs[i].name,
			.has_arg = defs[i].type == OPTION_FLAG ? no_argument : required_argument,
			.val = OPTION_BASE + i,
		};
	}
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
			return bad_option(cmd, defs, argv);
		}
		ret = set_option(cmd, &defs[got - OPTION_BASE], optarg);
		if (ret >= 0)
			return ret;
	}
	*first = optind;
	return -1;
}

int options_no_operand(const struct command *cmd, const struct option_def *defs, int argc,
		       char **argv)
{
	int first, ret;

	ret = options_parse(cmd, defs, argc, argv, &first);
	if (ret < 0 && first < argc)
		return cli_usage(cmd, "unexpected argument: %s", argv[first]);
	return ret;
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
		return cli_usage(cmd, "exactly one device expected");
	return options_device(cmd, argv[first], id);
}
