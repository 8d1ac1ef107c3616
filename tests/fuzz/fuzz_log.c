// SPDX-License-Identifier: GPL-2.0
/*
 * fuzz_log.c - the fuzzer's random numbers, its log and its counters. The log is a ring of the last
 * steps in shared memory, or in a file if it should outlive the run. Every actor writes it without
 * a lock and may be killed at any time, so a record can be incomplete; a reader then sees nonsense,
 * and nothing worse.
 */
#define _GNU_SOURCE
#include <errno.h>
#include <fcntl.h>
#include <inttypes.h>
#include <stdarg.h>
#include <stdio.h>
#include <string.h>
#include <sys/mman.h>
#include <unistd.h>

#include "fuzz.h"

/* ---- chance ---- */

/* splitmix64: Steele, Lea, Flood, "Fast splittable pseudorandom number generators", 2014. */
static uint64_t mix(uint64_t z)
{
	z = (z ^ (z >> 30)) * 0xbf58476d1ce4e5b9ULL;
	z = (z ^ (z >> 27)) * 0x94d049bb133111ebULL;
	return z ^ (z >> 31);
}

uint64_t rng_next(struct rng *rng)
{
	rng->state += 0x9e3779b97f4a7c15ULL;
	return mix(rng->state);
}

uint64_t rng_seed(uint64_t seed, uint64_t a, uint64_t b)
{
	return mix(mix(mix(seed + 0x9e3779b97f4a7c15ULL) + a) + b);
}

uint32_t rng_below(struct rng *rng, uint32_t n)
{
	return (rng_next(rng) >> 32) * n >> 32;
}

uint64_t rng_edge(struct rng *rng)
{
	uint64_t near = (uint64_t)rng_below(rng, 3) - 1;

	switch (rng_below(rng, 4)) {
	case 0:
		return near;
	case 1:
		return (1ULL << rng_below(rng, 64)) + near;
	case 2:
		return -(1ULL << rng_below(rng, 64)) + near;
	default:
		return rng_next(rng);
	}
}

/* ---- the log ---- */

#define RECORDS (1U << 14)
#define MAX_ROLES 8
#define MAX_ACTIONS 64

struct record {
	uint64_t draw;
	uint32_t actor;
	uint32_t step;
	atomic_bool worked;
	char action[24]; /* ROLE/ACTION */
	char args[96];
};

static struct log {
	atomic_ulong next;
	atomic_uint nr_broken;
	char broken[512];
	struct {
		atomic_ulong done, worked;
	} count[MAX_ROLES][MAX_ACTIONS];
	struct record records[RECORDS];
} *the_log;

static struct record *current; /* of this process */

static unsigned int role_index(const struct role *role)
{
	unsigned int i = 0;

	while (fuzz_roles[i] != role)
		i++;
	return i;
}

int fuzz_log_open(const char *path, bool new)
{
	int fd = path ? open(path, O_RDWR | O_CLOEXEC | (new ? O_CREAT | O_TRUNC : 0), 0600) : -1;

	if (path && (fd < 0 || (new && ftruncate(fd, sizeof(*the_log)))))
		return -errno;
	the_log = mmap(NULL, sizeof(*the_log), PROT_READ | PROT_WRITE,
		       path ? MAP_SHARED : MAP_SHARED | MAP_ANONYMOUS, fd, 0);
	if (path)
		close(fd);
	return the_log == MAP_FAILED ? -errno : 0;
}

struct record *fuzz_log_begin(struct actor *a, const char *action, unsigned int step, uint64_t draw)
{
	struct record *r = &the_log->records[atomic_fetch_add(&the_log->next, 1) % RECORDS];

	r->draw = draw;
	r->actor = a->number;
	r->step = step;
	snprintf(r->action, sizeof(r->action), "%s/%s", a->role->name, action);
	r->worked = false;
	r->args[0] = '\0';
	atomic_fetch_add(&the_log->count[role_index(a->role)][a->action].done, 1);
	current = r;
	return r;
}

void args(struct actor *a, const char *fmt, ...)
{
	size_t len = strnlen(a->record->args, sizeof(a->record->args) - 1);
	va_list ap;

	va_start(ap, fmt);
	vsnprintf(a->record->args + len, sizeof(a->record->args) - len, fmt, ap);
	va_end(ap);
}

void worked(struct actor *a)
{
	if (!atomic_exchange(&a->record->worked, true))
		atomic_fetch_add(&the_log->count[role_index(a->role)][a->action].worked, 1);
}

void fuzz_note(const struct role *role, const char *name, bool good)
{
	unsigned int i = 0;

	while (strcmp(role->actions[i].name, name))
		i++;
	atomic_fetch_add(&the_log->count[role_index(role)][i].done, 1);
	if (good)
		atomic_fetch_add(&the_log->count[role_index(role)][i].worked, 1);
}

bool fuzz_step_worked(const struct actor *a)
{
	return a->record->worked;
}

bool fuzz_has_worked(const struct role *role, unsigned int action)
{
	return the_log->count[role_index(role)][action].worked;
}

/* In --replay's format. A step that didn't work is marked, because it need not work in a replay. */
static int format(char *text, size_t bytes, const struct record *r)
{
	return snprintf(text, bytes, "%u %.23s %016" PRIx64 "%s # step %u: %.95s", r->actor,
			r->action, r->draw, r->worked ? "" : " ?", r->step, r->args);
}

void broken(const char *fmt, ...)
{
	size_t room = sizeof(the_log->broken), len = 0;
	va_list ap;

	if (atomic_fetch_add(&the_log->nr_broken, 1))
		return;
	if (current)
		len = format(the_log->broken, room, current);
	len += snprintf(the_log->broken + len, room - len, ": ");
	va_start(ap, fmt);
	vsnprintf(the_log->broken + len, room - len, fmt, ap);
	va_end(ap);
}

const char *fuzz_broken(void)
{
	return the_log->nr_broken ? the_log->broken : NULL;
}

unsigned long fuzz_log_count(void)
{
	return the_log->next;
}

void fuzz_log_forget(void)
{
	memset(the_log->count, 0, sizeof(the_log->count));
}

void fuzz_log_table(void)
{
	const struct action *action;
	unsigned int role, i;

	for (role = 0; fuzz_roles[role]; role++)
		for (action = fuzz_roles[role]->actions, i = 0; action->name; action++, i++)
			printf("# %-8s %-16s %8lu times, %8lu worked\n", fuzz_roles[role]->name,
			       action->name, the_log->count[role][i].done,
			       the_log->count[role][i].worked);
}

/* A floor is checked only if it demands at least this many steps: fewer would prove nothing. */
#define ENOUGH 30

static bool worked_enough(unsigned int role, unsigned int i, bool floors, bool say)
{
	const struct action *action = &fuzz_roles[role]->actions[i];
	unsigned long done = the_log->count[role][i].done, good = the_log->count[role][i].worked;
	unsigned long least = floors ? done * action->floor / 1000 : 1;

	if (floors && least < ENOUGH)
		return true;
	if (good < least && say)
		printf("# %s/%s: %lu times, %lu worked, less than %lu\n", fuzz_roles[role]->name,
		       action->name, done, good, least);
	return good >= least;
}

bool fuzz_log_worked(bool floors, bool say)
{
	unsigned int role, i;
	bool good = true;

	for (role = 0; fuzz_roles[role]; role++)
		for (i = 0; fuzz_roles[role]->actions[i].name; i++)
			good &= worked_enough(role, i, floors, say);
	return good;
}

void fuzz_log_tail(unsigned int records)
{
	unsigned long end = the_log->next, i;

	if (records > RECORDS)
		records = RECORDS; /* older ones are gone */
	for (i = end > records ? end - records : 0; i < end; i++) {
		char line[256];

		format(line, sizeof(line), &the_log->records[i % RECORDS]);
		puts(line);
	}
}
