// SPDX-License-Identifier: GPL-2.0
/*
 * matrix_look.c - how a cell of the death matrix observes its device and processes, and how it
 * holds the subject in the driver.
 */
#define _GNU_SOURCE
#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <signal.h>
#include <stdarg.h>
#include <stdio.h>
#include <string.h>
#include <sys/wait.h>
#include <unistd.h>

#include "matrix_cell.h"

#define PAUSE "/sys/module/ubdx_pause/parameters/pause"

bool want(struct cell *c, bool good, const char *fmt, ...)
{
	va_list ap;
	int n;

	if (good || c->room < 100)
		return good;
	n = snprintf(c->complaints, c->room, "#   ");
	va_start(ap, fmt);
	n += vsnprintf(c->complaints + n, c->room - n - 2, fmt, ap);
	va_end(ap);
	n = strlen(c->complaints);
	c->complaints[n++] = '\n';
	c->complaints[n] = 0;
	c->complaints += n;
	c->room -= n;
	return false;
}

/* ---- the pause ---- */

bool in_driver(enum stage stage)
{
	return stage != T1 && stage != T3;
}

void pause_write(struct cell *c, const char *fmt, ...)
{
	int fd = open(PAUSE, O_WRONLY | O_CLOEXEC);
	char order[64];
	va_list ap;
	int n;

	n = snprintf(order, sizeof(order), "%d ", c->sh->id);
	va_start(ap, fmt);
	n += vsnprintf(order + n, sizeof(order) - n, fmt, ap);
	va_end(ap);
	if (fd < 0 || write(fd, order, n) != n)
		want(c, false, "pause %s: %s", order, strerror(errno));
	close(fd);
}

bool pause_is(struct cell *c, const char *state)
{
	FILE *f = fopen(PAUSE, "r");
	bool yes = false;
	char is[32];
	int id;

	while (f && fscanf(f, "%d %31s", &id, is) == 2)
		yes |= id == c->sh->id && !strcmp(is, state);
	if (f)
		fclose(f);
	return yes;
}

/* ---- observations ---- */

static bool file_says(const char *word, const char *fmt, ...)
{
	char path[128], is[32] = "";
	va_list ap;
	FILE *f;

	va_start(ap, fmt);
	vsnprintf(path, sizeof(path), fmt, ap);
	va_end(ap);
	f = fopen(path, "r");
	if (f && fscanf(f, "%31s", is) != 1)
		is[0] = 0;
	if (f)
		fclose(f);
	return !strcmp(is, word);
}

bool declared_dead(struct cell *c)
{
	return access(c->raw.path, F_OK) ||
	       !file_says("live", "/sys/block/ubdxb%d/ubdx/state", c->sh->id);
}

bool task_is(pid_t pid, pid_t tid, const char *states)
{
	char path[64], line[512] = "";
	const char *p;
	FILE *f;

	snprintf(path, sizeof(path), "/proc/%d/task/%d/stat", pid, tid);
	f = fopen(path, "r");
	if (!f)
		return false;
	if (!fgets(line, sizeof(line), f))
		line[0] = 0;
	fclose(f);
	p = strrchr(line, ')');
	return p && p[1] && strchr(states, p[2]);
}

bool task_is_killed(pid_t pid, pid_t tid)
{
	unsigned long long pending;
	char path[64], line[512];
	bool yes = false;
	FILE *f;

	snprintf(path, sizeof(path), "/proc/%d/task/%d/status", pid, tid);
	f = fopen(path, "r");
	while (f && fgets(line, sizeof(line), f))
		if (sscanf(line, "SigPnd: %llx", &pending) == 1)
			yes = pending & 1 << (SIGKILL - 1);
	if (f)
		fclose(f);
	return yes;
}

bool subject_waits(struct cell *c)
{
	pid_t tid = atomic_load(&c->sh->subject_tid);

	return tid && task_is(c->client, tid, "D");
}

unsigned int state_of(struct cell *c)
{
	struct ubdx_info info;

	return raw_info(&c->raw, &info) ? UBDX_S_DEAD : info.state;
}

bool exited(pid_t pid, int *status)
{
	return waitpid(pid, status, WNOHANG) == pid;
}
