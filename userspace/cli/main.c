// SPDX-License-Identifier: MIT OR LGPL-2.1
/*
 * main.c - ubdx: add, look at, change and delete user-space block devices. Finds the command.
 */
#include <stdlib.h>
#include <string.h>

#include "cli.h"
#include "std_fds.h"

static const struct command commands[] = {
	{ "add", "--target NAME [OPTION...]", "Add a block device and serve it in the background",
	  cmd_add },
	{ "recover", "--target NAME [OPTION...] DEVICE",
	  "Start a new server for a device that has none, or (--live) replace the running one",
	  cmd_recover },
	{ "list", "[OPTION...]", "List devices", cmd_list },
	{ "info", "[OPTION...] DEVICE", "Show a device's parameters and counters", cmd_info },
	{ "set", "[OPTION...] DEVICE", "Set a device's transfer mode or resolver", cmd_set },
	{ "del", "[OPTION...] DEVICE...|--all", "Delete devices", cmd_del },
	{ "features", "[OPTION...]", "Show what the driver and the library support", cmd_features },
};

static const struct command *find(const char *name)
{
	unsigned int i;

	for (i = 0; i < ARRAY_SIZE(commands); i++)
		if (!strcmp(name, commands[i].name))
			return &commands[i];
	return NULL;
}

static int run(const char *name, int argc, char **argv)
{
	const struct command *command = find(name);

	return command ? command->run(command, argc, argv) :
			 cli_usage(NULL, "unknown command %s", name);
}

static int help(void)
{
	unsigned int i;

	printf("usage: ubdx COMMAND [OPTION...] [DEVICE...]\n\n");
	for (i = 0; i < ARRAY_SIZE(commands); i++)
		printf("  %-10s %s\n", commands[i].name, commands[i].summary);
	printf("  %-10s Show this text; help COMMAND shows that command's options\n"
	       "\nA DEVICE is 0, ubdxb0 or /dev/ubdxb0. ubdx --version prints the version.\n",
	       "help");
	return EXIT_SUCCESS;
}

/* `ubdx help COMMAND` is `ubdx COMMAND --help`. */
static int help_command(char *name)
{
	char option[] = "--help";
	char *argv[] = { name, option, NULL };

	return run(name, 2, argv);
}

int main(int argc, char **argv)
{
	const char *name = argv[1];

	std_fds_open();
	if (argc < 2)
		return cli_usage(NULL, "no command given");
	if (!strcmp(name, "help") && argc == 3)
		return help_command(argv[2]);
	if (!strcmp(name, "help") || !strcmp(name, "--help") || !strcmp(name, "-h"))
		return help();
	if (!strcmp(name, "--version") || !strcmp(name, "-V")) {
		printf("ubdx %s\n", ubdx_lib_version());
		return EXIT_SUCCESS;
	}
	return run(name, argc - 1, argv + 1);
}
