// SPDX-License-Identifier: MIT OR LGPL-2.1
/*
 * main.c - ubdx: add, look at, change and delete user-space block devices. Finds the command.
 */
#include <stdlib.h>
#include <string.h>

#include "cli.h"

static const struct command commands[] = {
	{ "add", "", "Make a block device, and serve it in the background", cmd_add },
	{ "recover", "DEVICE", "Serve a device that has lost its server", cmd_recover },
	{ "list", "", "Show all devices, one a line", cmd_list },
	{ "info", "DEVICE", "Show all there is to know about a device", cmd_info },
	{ "set", "DEVICE", "Change a device", cmd_set },
	{ "del", "DEVICE...", "Delete devices", cmd_del },
	{ "features", "", "Show what driver and library can do", cmd_features },
};

static int help(void)
{
	unsigned int i;

	printf("usage: ubdx COMMAND [OPTION...] [DEVICE...]\n\n");
	for (i = 0; i < ARRAY_SIZE(commands); i++)
		printf("  %-10s %s\n", commands[i].name, commands[i].summary);
	printf("  %-10s This text; ubdx COMMAND --help has more\n"
	       "\nA DEVICE is 0, ubdxb0 or /dev/ubdxb0. ubdx --version shows the version.\n",
	       "help");
	return EXIT_SUCCESS;
}

int main(int argc, char **argv)
{
	const char *name = argv[1];
	unsigned int i;

	if (argc < 2)
		return cli_usage(NULL, "no command given");
	if (!strcmp(name, "help") || !strcmp(name, "--help") || !strcmp(name, "-h"))
		return help();
	if (!strcmp(name, "--version")) {
		printf("ubdx %s\n", ubdx_lib_version());
		return EXIT_SUCCESS;
	}
	for (i = 0; i < ARRAY_SIZE(commands); i++)
		if (!strcmp(name, commands[i].name))
			return commands[i].run(&commands[i], argc - 1, argv + 1);
	return cli_usage(NULL, "there is no command %s", name);
}
