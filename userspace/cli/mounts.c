// SPDX-License-Identifier: MIT OR LGPL-2.1
/*
 * mounts.c - how a server leaves its caller's mount namespace.
 *
 * The last process of a mount namespace unmounts all that is mounted in it, on its way out. If that
 * process is a server, and a file system on its own device is among it, the dead server waits for
 * its successor, and the successor waits for the file that the dead server has locked: a container
 * whose processes are all killed ends so. Hence a server has a namespace of its own, in which
 * nothing of its device is ever mounted.
 *
 * That namespace starts as a copy, and a copy keeps every file system mounted, also when its user
 * has unmounted it. So the copies go, but for those of kernel file systems and those in memory,
 * which the server needs (/dev, /proc, /sys, /run) and which nobody has to unmount.
 *
 * Files that are open stay open. Without privilege, and where namespaces have run out, the server
 * stays where it is.
 */
#include <errno.h>
#include <sched.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mount.h>

#include "cli.h"

static bool is_kept(const char *path, const char *type)
{
	static const char *const kept[] = { "cgroup2", "devpts", "devtmpfs",
					    "proc",    "sysfs",	 "tmpfs" };
	unsigned int i;

	for (i = 0; i < ARRAY_SIZE(kept); i++)
		if (!strcmp(type, kept[i]))
			return true;
	return !strcmp(path, "/");
}

/* Undo the kernel's \ooo for blanks and backslashes. */
static void unescape(char *path)
{
	char *to = path;

	for (; *path; path++) {
		unsigned int c;

		if (sscanf(path, "\\%3o", &c) == 1) {
			*to++ = c;
			path += 3;
		} else {
			*to++ = *path;
		}
	}
	*to = '\0';
}

/* Where something is mounted that is not to be kept, from a line of mountinfo(5); NULL: nowhere. */
static char *to_unmount(const char *line)
{
	const char *rest = strstr(line, " - ");
	char *path = NULL, *type = NULL;

	if (rest && sscanf(line, "%*s %*s %*s %*s %ms", &path) == 1 &&
	    sscanf(rest, " - %ms", &type) == 1) {
		unescape(path);
		if (!is_kept(path, type)) {
			free(type);
			return path;
		}
	}
	free(path);
	free(type);
	return NULL;
}

/* The last first: it may be mounted on another. */
static void unmount_rest(FILE *mounts)
{
	char *line = NULL, *path;
	size_t size = 0;

	if (getline(&line, &size, mounts) > 0) {
		path = to_unmount(line);
		unmount_rest(mounts);
		if (path)
			umount2(path, MNT_DETACH | UMOUNT_NOFOLLOW);
		free(path);
	}
	free(line);
}

/**
 * mounts_leave() - give the calling process, which has one thread, a mount namespace of its own.
 */
void mounts_leave(void)
{
	FILE *mounts;

	if (unshare(CLONE_NEWNS))
		return;
	/* What is unmounted here must not be so in the caller's namespace. */
	if (mount(NULL, "/", NULL, MS_REC | MS_PRIVATE, NULL))
		return;
	mounts = fopen("/proc/self/mountinfo", "re");
	if (!mounts)
		return;
	unmount_rest(mounts);
	fclose(mounts);
}
