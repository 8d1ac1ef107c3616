// SPDX-License-Identifier: GPL-2.0
/*
 * fuzz_round.c - the supervisor: start actors, disturb them, and then check that nothing is left:
 * each process ends, and none by its own fault, each device can be deleted, no node is left, the
 * module unloads, the kernel has not complained, and memory use has not grown.
 */
#define _GNU_SOURCE
#include <errno.h>
#include <fcntl.h>
#include <glob.h>
#include <inttypes.h>
#include <poll.h>
#include <signal.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/mman.h>
#include <sys/prctl.h>
#include <sys/resource.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

#include "fuzz.h"
#include "raw.h"
#include "tap.h"

#define ACTORS 12 /* at a time */
#define REHEARSAL 120 /* seconds at most */
#define REHEARSAL_ROUND 4000001U /* odd: see fuzz_trusts() */
#define PATIENCE \
	25 /* seconds for anything to end; the kernel's own hung-task limit is a little more */
#define MEMORY_LIMIT \
	65536 /* KiB by which the memory in use may grow from the first round to the last */

static bool complain(const char *fmt, ...) __attribute__((format(printf, 1, 2)));

static bool complain(const char *fmt, ...)
{
	va_list ap;

	printf("# ");
	va_start(ap, fmt);
	vprintf(fmt, ap);
	va_end(ap);
	printf("\n");
	return false;
}

/* Call @good until it returns true, for at most PATIENCE seconds. Returns whether it did. */
static bool until(bool (*good)(void))
{
	double end = raw_now() + PATIENCE;

	while (!good()) {
		if (raw_now() > end)
			return false;
		poll(NULL, 0, 5);
	}
	return true;
}

/* ---- the kernel's log ---- */

static int kmsg = -1;

static void kmsg_open(void)
{
	kmsg = open("/dev/kmsg", O_RDONLY | O_NONBLOCK | O_CLOEXEC);
	if (kmsg < 0)
		bail("/dev/kmsg: %s", strerror(errno));
	lseek(kmsg, 0, SEEK_END);
}

/*
 * A part of lab/vm's list of words. lab/vm decides; this check tells at once in which round the
 * kernel complained.
 */
static bool kmsg_clean(void)
{
	static const char *const words[] = { "WARNING:",    "BUG",    "UBSAN:", "KASAN:",
					     "refcount_t:", "INFO: ", "Oops",	"Call Trace" };
	char line[2048];
	bool clean = true;
	ssize_t n;
	size_t i;

	while ((n = read(kmsg, line, sizeof(line) - 1)) > 0 || errno == EPIPE) {
		if (n <= 0)
			continue;
		line[n] = '\0';
		for (i = 0; i < ARRAY_SIZE(words); i++)
			if (strstr(line, words[i]))
				clean = complain("kernel: %s", strchrnul(line, ';') + 1);
	}
	return clean;
}

/* ---- processes ---- */

/*
 * An actor may be killed, by us or by the driver, or exit with 0, as one of its steps says. (The
 * kernel sends SIGHUP to a stopped process whose parent is gone.) Any other end is the actor's own
 * fault; fuzz_catch_faults() may have reported more.
 */
void fuzz_judge(pid_t pid, int status)
{
	if (WIFEXITED(status) ? WEXITSTATUS(status) == 0 :
				WTERMSIG(status) == SIGKILL || WTERMSIG(status) == SIGHUP)
		return;
	if (WIFEXITED(status))
		broken("process %d died of its own fault: status %d", pid, WEXITSTATUS(status));
	else
		broken("process %d died of its own fault: signal %d", pid, WTERMSIG(status));
}

/* Reap a process. Returns its pid, 0 if none has ended, or -1 if there is none. */
static pid_t reap_one(void)
{
	int status;
	pid_t pid = waitpid(-1, &status, WNOHANG);

	if (pid > 0)
		fuzz_judge(pid, status);
	return pid;
}

static bool all_reaped(void)
{
	pid_t pid;

	while ((pid = reap_one()) > 0)
		;
	return pid < 0;
}

/* Print where the processes that don't end wait in the kernel. */
static void show_stuck(void)
{
	static const char script[] =
		"for p in /proc/[0-9]*/task/*; do"
		"  grep -q '^State:.[DZ]' $p/status 2>/dev/null || continue;"
		"  echo \"# $p $(cat $p/comm), $(grep ^State $p/status)\"; sed 's/^/#   /' $p/stack;"
		"done 2>/dev/null;"
		"echo \"# users of the module: $(cat /sys/module/ubdx/refcnt); nodes:\" /dev/ubdx*";

	pid_t pid = fork();

	if (!pid) {
		execlp("bash", "bash", "-c", script, NULL);
		_exit(127);
	}
	waitpid(pid, NULL, 0);
}

/* Run @fn in a process of its own, as it may never come back. */
static bool run_apart(int (*fn)(void), const char *what)
{
	pid_t pid = fork();
	double end = raw_now() + PATIENCE;
	int status;

	if (!pid)
		_exit(fn());
	while (waitpid(pid, &status, WNOHANG) != pid) {
		if (raw_now() > end) {
			show_stuck();
			return complain("%s doesn't end", what);
		}
		poll(NULL, 0, 2);
	}
	return !status || complain("%s failed: status %d", what, status);
}

/* ---- what must be left: nothing ---- */

/* Call @cmd for each device, or only those that wait for a server. */
static int force_devices(unsigned long cmd, bool only_waiting)
{
	int fd = open("/dev/" UBDX_CONTROL_NAME, O_RDWR | O_CLOEXEC);
	struct ubdx_info info = { .flags = UBDX_INFO_NEXT };

	if (fd < 0)
		return 1;
	while (!ioctl(fd, UBDX_IOC_INFO, &info)) {
		struct ubdx_ctl ctl = { .id = info.id, .flags = UBDX_CTL_FORCE };

		if (!only_waiting || info.state == UBDX_S_QUIESCED)
			if (ioctl(fd, cmd, &ctl) && errno != ENODEV)
				return 2;
		info = (struct ubdx_info){ .id = info.id + 1, .flags = UBDX_INFO_NEXT };
	}
	return 0;
}

static int delete_devices(void)
{
	return force_devices(UBDX_IOC_DEL, false);
}

/* A killed client whose request waits for a server can't exit. So stop devices without a server. */
static int stop_waiting(void)
{
	return force_devices(UBDX_IOC_STOP, true);
}

static bool nothing_left(void)
{
	static const char *const patterns[] = { "/dev/ubdx*", "/sys/block/ubdx*",
						"/sys/class/ubdx-chan/*", "/sys/class/misc/ubdx*" };
	size_t i;

	for (i = 0; i < ARRAY_SIZE(patterns); i++) {
		glob_t found;
		int ret = glob(patterns[i], 0, NULL, &found);

		globfree(&found);
		if (ret != GLOB_NOMATCH)
			return false;
	}
	return true;
}

static bool module_unloaded(void)
{
	return !syscall(SYS_delete_module, "ubdx", O_NONBLOCK) || errno == ENOENT;
}

static int unload(void)
{
	return !until(module_unloaded);
}

static bool load(const struct fuzz_plan *plan)
{
	int fd = open(plan->module, O_RDONLY | O_CLOEXEC), ret;
	char params[32];

	if (fd < 0)
		return complain("%s: %s", plan->module, strerror(errno));
	snprintf(params, sizeof(params), "max_devices=%u", FUZZ_MAX_DEVICES);
	ret = syscall(SYS_finit_module, fd, params, 0);
	close(fd);
	return !ret || complain("insmod: %s", strerror(errno));
}

/* Reap all processes, which have been killed. They end as soon as none waits for a server. */
static bool all_end(void)
{
	double end = raw_now() + PATIENCE;

	while (!all_reaped()) {
		if (raw_now() > end) {
			show_stuck();
			return complain("killed processes don't end");
		}
		if (!run_apart(stop_waiting, "stopping devices that wait"))
			return false;
		poll(NULL, 0, 5);
	}
	return true;
}

/*
 * Check that nothing is left, and load the module again. @delete: delete the devices first;
 * otherwise the module's exit does.
 */
static bool clean_up(const struct fuzz_plan *plan, bool delete)
{
	if (!all_end())
		return false;
	if (delete && !run_apart(delete_devices, "deleting the devices"))
		return false;
	if (!run_apart(unload, "unloading the module"))
		return false;
	if (!until(nothing_left))
		return complain("nodes are left");
	if (!kmsg_clean())
		return false;
	if (fuzz_broken())
		return complain("%s", fuzz_broken());
	return load(plan);
}

/* ---- memory ---- */

static long meminfo(const char *name)
{
	FILE *f = fopen("/proc/meminfo", "r");
	char line[128];
	long kib = 0;

	while (f && fgets(line, sizeof(line), f))
		if (!strncmp(line, name, strlen(name)))
			kib = atol(line + strlen(name) + 1);
	if (f)
		fclose(f);
	return kib;
}

static long memory_used(void)
{
	int fd = open("/proc/sys/vm/drop_caches", O_WRONLY | O_CLOEXEC);

	if (fd >= 0) {
		if (write(fd, "3", 1) != 1)
			complain("drop_caches: %s", strerror(errno));
		close(fd);
	}
	return meminfo("MemTotal") - meminfo("MemFree");
}

/* ---- a round ---- */

struct seat {
	pid_t pid;
	bool stopped;
};

static struct seat seats[ACTORS];
/* The process groups of this round's actors. A killed actor's children stay in its group. */
static pid_t groups[FUZZ_ACTORS_PER_ROUND];
static unsigned int nr_groups;

/* As fork(). */
static pid_t seat_fork(struct seat *seat)
{
	seat->stopped = false;
	seat->pid = fork();
	if (seat->pid < 0)
		bail("fork: %s", strerror(errno));
	setpgid(seat->pid, seat->pid);
	if (seat->pid)
		groups[nr_groups++] = seat->pid;
	return seat->pid;
}

static void seat_start(struct seat *seat, const struct fuzz_plan *plan, unsigned int number,
		       unsigned int steps)
{
	if (!seat_fork(seat))
		fuzz_act(plan->seed, number, steps);
}

static void kill_all(void)
{
	unsigned int i;

	for (i = 0; i < nr_groups; i++)
		kill(-groups[i], SIGKILL);
	nr_groups = 0;
	memset(seats, 0, sizeof(seats));
}

/* Free the seats of actors that have ended. Returns how many seats are taken. */
static unsigned int reap(void)
{
	unsigned int i, left = 0;
	pid_t pid;

	while ((pid = reap_one()) > 0)
		for (i = 0; i < ACTORS; i++)
			if (seats[i].pid == pid)
				seats[i].pid = 0;
	for (i = 0; i < ACTORS; i++)
		left += !!seats[i].pid;
	return left;
}

/*
 * Hostile devices seldom find another server, and then their clients only wait. So look twice a
 * second, and stop the devices that were waiting at each of the last @looks times. Each STOP runs
 * in a process of its own, because it may have to wait. Honest devices have heirs.
 */
static void give_up_some(double *next, unsigned int looks)
{
	static unsigned int waited[FUZZ_IDS];
	int fd, i;

	if (raw_now() < *next)
		return;
	*next = raw_now() + 0.5;
	fd = open("/dev/" UBDX_CONTROL_NAME, O_RDWR | O_CLOEXEC);
	for (i = 0; i < FUZZ_IDS; i++) {
		struct ubdx_info info = { .id = i };
		struct ubdx_ctl ctl = { .id = i, .flags = UBDX_CTL_FORCE };

		waited[i]++;
		if (ioctl(fd, UBDX_IOC_INFO, &info) || info.state != UBDX_S_QUIESCED)
			waited[i] = 0;
		if (waited[i] < looks)
			continue;
		waited[i] = 0;
		if (!fork()) {
			ioctl(fd, UBDX_IOC_STOP, &ctl);
			_exit(0);
		}
	}
	close(fd);
}

static void disturb(struct rng *rng)
{
	struct seat *seat = &seats[rng_below(rng, ACTORS)];
	unsigned int what = rng_below(rng, 100);

	if (!seat->pid)
		return;
	if (seat->stopped) {
		kill(-seat->pid, what < 20 ? SIGKILL : SIGCONT);
		seat->stopped = false;
	} else if (what < 4) {
		kill(-seat->pid, SIGSTOP);
		seat->stopped = true;
	} else if (what < 8) {
		kill(-seat->pid, SIGKILL);
	} else if (what < 11) {
		kill(seat->pid, SIGKILL); /* its children stay */
	}
}

static bool round_run(const struct fuzz_plan *plan, unsigned int round)
{
	struct rng rng = { rng_seed(plan->seed, round, ~1ULL) };
	double end = raw_now() + 2 + rng_below(&rng, 3000) / 1000.0, give_up = 0;
	unsigned int first = round * FUZZ_ACTORS_PER_ROUND, i, ending;

	while (raw_now() < end && !fuzz_broken()) {
		for (i = 0; i < ACTORS; i++)
			if (!seats[i].pid && nr_groups < FUZZ_ACTORS_PER_ROUND)
				seat_start(&seats[i], plan, first + nr_groups, 0);
		poll(NULL, 0, rng_below(&rng, 50));
		disturb(&rng);
		give_up_some(&give_up, 1);
		reap();
	}
	ending = rng_below(&rng, 3);
	/* Delete the devices under load, or when all actors are dead, or by the module's exit. */
	if (ending == 0 && !run_apart(delete_devices, "deleting the devices under load"))
		return false;
	kill_all();
	return clean_up(plan, ending == 1);
}

/* Run until each action has worked. Twice a second one actor is killed, because it may be stuck. */
bool fuzz_rehearse(const struct fuzz_plan *plan)
{
	double start = raw_now(), end = start + REHEARSAL, give_up = 0, change = start;
	struct rng rng = { plan->seed };
	unsigned int i;

	fuzz_rehearses = true;
	while (raw_now() < end && !fuzz_broken() && !fuzz_log_worked(false, false)) {
		for (i = 0; i < ACTORS; i++)
			if (!seats[i].pid && nr_groups < FUZZ_ACTORS_PER_ROUND)
				seat_start(&seats[i], plan,
					   REHEARSAL_ROUND * FUZZ_ACTORS_PER_ROUND + nr_groups, 0);
		poll(NULL, 0, 10);
		give_up_some(&give_up, 6);
		if (raw_now() > change) {
			struct seat *seat = &seats[rng_below(&rng, ACTORS)];

			change = raw_now() + 0.5;
			if (seat->pid)
				kill(-seat->pid, SIGKILL);
		}
		reap();
	}
	fuzz_rehearses = false;
	printf("# rehearsal: %lu steps in %.1f s\n", fuzz_log_count(), raw_now() - start);
	kill_all();
	if (clean_up(plan, true) && fuzz_log_worked(false, true)) {
		fuzz_log_forget();
		return true;
	}
	fuzz_log_tail(~0U);
	return false;
}

bool fuzz_prepare(const struct fuzz_plan *plan)
{
	struct rlimit none = { 0, 0 }, space = { 1UL << 30, 1UL << 30 };

	kmsg_open();
	fuzz_recovery_prepare();
	/*
	 * Orphans become our children, so that we see how each process ends. Actors dump no core,
	 * and can't use up memory.
	 */
	prctl(PR_SET_CHILD_SUBREAPER, 1);
	setrlimit(RLIMIT_CORE, &none);
	setrlimit(RLIMIT_AS, &space);
	return load(plan);
}

bool fuzz_rounds(const struct fuzz_plan *plan)
{
	time_t start = time(NULL); /* real seconds; raw_now() is slower on debug kernels */
	long before = memory_used(), after; /* before: after the rehearsal, if there was one */
	unsigned int round;

	printf("# seed %" PRIu64 "\n", plan->seed);
	for (round = 0; plan->rounds ? round < plan->rounds : time(NULL) < start + plan->seconds;
	     round++) {
		unsigned long steps = fuzz_log_count();
		double now = raw_now();

		if (!round_run(plan, plan->first_round + round)) {
			fuzz_log_tail(300);
			return complain("seed %" PRIu64 ", round %u", plan->seed,
					plan->first_round + round);
		}
		steps = fuzz_log_count() - steps;
		printf("# round %u: %lu steps, %.0f a second; %.0f s of %.0f\n",
		       plan->first_round + round, steps, steps / (raw_now() - now),
		       difftime(time(NULL), start), plan->seconds);
	}
	after = memory_used();
	printf("# memory in use, KiB: %ld at first, %ld after %u rounds\n", before, after, round);
	return after - before < MEMORY_LIMIT || complain("memory is missing");
}

bool fuzz_alone(const struct fuzz_plan *plan, const unsigned int *actors, unsigned int nr,
		unsigned int steps)
{
	double end = raw_now() + PATIENCE;
	unsigned int i;

	for (i = 0; i < nr && i < ACTORS; i++)
		seat_start(&seats[i], plan, actors[i], steps);
	while (reap() && raw_now() < end)
		poll(NULL, 0, 10);
	kill_all();
	return clean_up(plan, true);
}

/* ---- replay ---- */

struct step {
	unsigned int actor;
	const struct role *role;
	const struct action *action;
	uint64_t draw;
	bool must_work;
};

static bool parse_steps(const char *path, struct step **steps, unsigned int *nr)
{
	FILE *f = fopen(path, "r");
	char line[256], role[32], name[32], mark[2];

	*steps = NULL;
	*nr = 0;
	if (!f)
		return complain("%s: %s", path, strerror(errno));
	while (fgets(line, sizeof(line), f)) {
		struct step step;
		int nr_words;

		*strchrnul(line, '#') = '\0';
		if (!line[strspn(line, " \t\n")])
			continue;
		nr_words = sscanf(line, "%u %31[^/]/%31s %" SCNx64 " %1[?]", &step.actor, role,
				  name, &step.draw, mark);
		step.must_work = nr_words == 4;
		step.action = nr_words < 4 ? NULL : fuzz_find_action(role, name, &step.role);
		if (!step.action) {
			fclose(f);
			return complain("%s: %s: not a step", path, line);
		}
		*steps = realloc(*steps, (*nr + 1) * sizeof(step));
		if (!*steps)
			bail("out of memory");
		(*steps)[(*nr)++] = step;
	}
	fclose(f);
	return true;
}

static bool same_actor(const struct step *a, const struct step *b)
{
	return a->actor == b->actor && a->role == b->role;
}

/* Do one actor's steps. Each waits for its turn, but for a second at most. */
static void replay_actor(const struct step *steps, unsigned int nr, unsigned int first,
			 atomic_uint *turn)
{
	struct actor a = { .number = steps[first].actor, .role = steps[first].role };
	unsigned int i;

	fuzz_catch_faults();
	if (a.role->init)
		a.role->init(&a);
	for (i = first; i < nr; i++) {
		double end = raw_now() + 1;

		if (!same_actor(&steps[i], &steps[first]))
			continue;
		while (*turn < i && raw_now() < end)
			poll(NULL, 0, 1);
		fuzz_step(&a, steps[i].action, i, steps[i].draw);
		if (steps[i].must_work && !fuzz_step_worked(&a))
			broken("the step did nothing");
		if (*turn < i + 1)
			*turn = i + 1;
	}
	/* Keep everything open until the last step of all actors has been done. */
	while (*turn < nr)
		poll(NULL, 0, 1);
	_exit(0);
}

bool fuzz_replay(const struct fuzz_plan *plan, const char *path)
{
	unsigned int nr, i, j;
	struct step *steps;
	atomic_uint *turn = mmap(NULL, sizeof(*turn), PROT_READ | PROT_WRITE,
				 MAP_SHARED | MAP_ANONYMOUS, -1, 0);
	double end = raw_now() + PATIENCE;

	if (turn == MAP_FAILED)
		bail("out of memory");
	if (!parse_steps(path, &steps, &nr))
		return false;
	for (i = 0; i < nr && nr_groups < ACTORS; i++) {
		struct seat *seat = &seats[nr_groups];

		for (j = 0; !same_actor(&steps[j], &steps[i]); j++)
			;
		if (j == i && !seat_fork(seat))
			replay_actor(steps, nr, i, turn);
	}
	while (reap() && raw_now() < end)
		poll(NULL, 0, 5);
	if (*turn < nr)
		broken("only %u of %u steps were taken", *turn, nr);
	kill_all();
	free(steps);
	munmap(turn, sizeof(*turn));
	return clean_up(plan, true);
}
