// SPDX-License-Identifier: MIT OR LGPL-2.1
/*
 * mounts.c - how a server leaves its caller's mount namespace.
 *
 * When the last process of a mount namespace exits, it unmounts all file systems there. Suppose
 * that process is a server, and one of those file systems is on the server's own device. The
 * unmount does I/O, which waits until the next server serves the device. The next server waits for
 * the lock on the backing file, which the exiting server still holds. That is a deadlock. It
 * happens, for example, when all processes of a container are killed. So a server has a namespace
 * of its own, in which nothing on its device stays mounted.
 *
 * The new namespace starts as a copy of the caller's. A file system would stay mounted in the copy
 * after the caller has unmounted it, so the server unmounts its copies. It keeps the root and the
 * types in is_kept(): it needs /dev, /proc, /sys and /run, and nobody waits until these are
 * unmounted.
 *
 * Files that are open stay open. Without privilege, or if there can be no more namespaces, the
 * server stays in its caller's namespace.
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

/* The mount point in a line of mountinfo(5); NULL if it is kept. The caller frees it. */
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

/* Unmount what the rest of @mounts lists, the last first: it may be mounted on an earlier one. */
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
	/* Unmounting must not propagate to the caller's namespace. */
	if (mount(NULL, "/", NULL, MS_REC | MS_PRIVATE, NULL))
		return;
	mounts = fopen("/proc/self/mountinfo", "re");
	if (!mounts)
		return;
	unmount_rest(mounts);
	fclose(mounts);
}
