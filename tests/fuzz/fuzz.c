// SPDX-License-Identifier: GPL-2.0
/*
 * fuzz.c - the fuzzer's command line, its roles, and what an actor does. See fuzz.h.
 *
 *	fuzz --module ubdx.ko --seed 42 --seconds 60	rounds, as many as there is time for
 *	fuzz ... --round 17				round 17 of that seed again
 *	fuzz ... --actor 17003 --steps 40	one actor of round 17; several --actor run together
 *	fuzz ... --replay FILE				the steps in FILE, one after the other
 *	fuzz --print LOG				the steps kept by --log LOG, for --replay
 *
 * When the machine dies, the seed and the last printed round are left: the bug is in the next
 * round.
 *
 * A file of steps has one step in each line, "ACTOR ROLE/ACTION DRAW", as the log prints them. A #
 * begins a comment. The line names the action, so it stays valid when the tables change. Each step
 * must work, or the replay fails; a "?" after DRAW marks a step that need not work.
 */
#define _GNU_SOURCE
#include <errno.h>
#include <getopt.h>
#include <inttypes.h>
#include <poll.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/random.h>
#include <ucontext.h>
#include <unistd.h>

#include "fuzz.h"
#include "tap.h"

const struct role *const fuzz_roles[] = { &fuzz_server, &fuzz_control, &fuzz_client,
					  &fuzz_heir,	&fuzz_witness, NULL };

/* ---- faults ---- */

__thread sigjmp_buf fuzz_after_fault;
__thread volatile bool fuzz_touching;

static void on_fault(int sig, siginfo_t *info, void *context)
{
	extern char __executable_start, etext;
	uintptr_t pc = ((ucontext_t *)context)->uc_mcontext.gregs[REG_RIP];
	uintptr_t start = (uintptr_t)&__executable_start;

	if (fuzz_touching && (sig == SIGSEGV || sig == SIGBUS))
		siglongjmp(fuzz_after_fault, 1);
	broken("process %d died of its own fault: signal %d (%s) at pc %lx (%s%lx), address %p",
	       getpid(), sig, sigabbrev_np(sig), pc,
	       pc >= start && pc < (uintptr_t)&etext ? "fuzz+" : "elsewhere ", pc - start,
	       info->si_addr);
	/* die of the signal, as without this handler */
	signal(sig, SIG_DFL);
	raise(sig);
}

void fuzz_catch_faults(void)
{
	static const int signals[] = { SIGSEGV, SIGBUS, SIGILL, SIGFPE, SIGABRT, SIGTRAP, SIGSYS };
	struct sigaction catch = { .sa_sigaction = on_fault, .sa_flags = SA_SIGINFO | SA_NODEFER };
	unsigned int i;

	for (i = 0; i < ARRAY_SIZE(signals); i++)
		sigaction(signals[i], &catch, NULL);
}

/* ---- what an actor does ---- */

bool fuzz_rehearses;

static bool still_to_work(const struct role *role, unsigned int i)
{
	return role->actions[i].fn && !fuzz_has_worked(role, i);
}

/* An action that has not worked yet, or any action. */
static unsigned int rehearse_action(struct actor *a, unsigned int any)
{
	unsigned int nr = 0, i, at;

	for (i = 0; a->role->actions[i].name; i++)
		nr += still_to_work(a->role, i);
	if (!nr)
		return any;
	at = below(a, nr);
	for (i = 0;; i++)
		if (still_to_work(a->role, i) && at-- == 0)
			return i;
}

static unsigned int choose_action(struct actor *a)
{
	unsigned int total = 0, i, at;

	for (i = 0; a->role->actions[i].name; i++)
		total += a->role->actions[i].weight;
	at = below(a, total);
	for (i = 0; at >= a->role->actions[i].weight; i++)
		at -= a->role->actions[i].weight;
	return fuzz_rehearses && chance(a, 50) ? rehearse_action(a, i) : i;
}

/*
 * A round's first actors take the roles of fuzz_roles one after the other, so that each role has an
 * actor. The roles of the other actors are random, or in a rehearsal taken in turn.
 */
const struct role *fuzz_role_of(uint64_t seed, unsigned int number)
{
	struct rng rng = { rng_seed(seed, number, ~0ULL) };
	unsigned int total = 0, i, at;

	for (i = 0; fuzz_roles[i]; i++) {
		if (number % FUZZ_ACTORS_PER_ROUND == i)
			return fuzz_roles[i];
		total += fuzz_roles[i]->weight;
	}
	if (fuzz_rehearses)
		return fuzz_roles[number % FUZZ_ACTORS_PER_ROUND % i];
	at = rng_below(&rng, total);
	for (i = 0; at >= fuzz_roles[i]->weight; i++)
		at -= fuzz_roles[i]->weight;
	return fuzz_roles[i];
}

const struct action *fuzz_find_action(const char *role_name, const char *name,
				      const struct role **role)
{
	const struct action *action;
	unsigned int i;

	for (i = 0; fuzz_roles[i]; i++) {
		if (strcmp(fuzz_roles[i]->name, role_name))
			continue;
		for (action = fuzz_roles[i]->actions; action->name; action++) {
			if (!strcmp(action->name, name)) {
				*role = fuzz_roles[i];
				return action;
			}
		}
	}
	return NULL;
}

void fuzz_step(struct actor *a, const struct action *action, unsigned int step, uint64_t draw)
{
	a->action = action - a->role->actions;
	a->rng.state = draw;
	a->record = fuzz_log_begin(a, action->name, step, draw);
	action->fn(a);
}

void fuzz_act(uint64_t seed, unsigned int number, unsigned int steps)
{
	struct actor a = { .number = number, .role = fuzz_role_of(seed, number) };
	unsigned int step;

	fuzz_catch_faults();
	if (a.role->init)
		a.role->init(&a);
	for (step = 0; !steps || step < steps; step++) {
		unsigned int action;

		a.rng.state = rng_seed(seed, number, step);
		action = step ? choose_action(&a) : 0;
		fuzz_step(&a, &a.role->actions[action], step, a.rng.state);
	}
	exit(0);
}

/* ---- command line ---- */

static void __attribute__((noreturn)) usage(void)
{
	fprintf(stderr,
		"usage: fuzz --module FILE [--seed N] [--log LOG] [--replay FILE]... [--seconds S]\n"
		"       fuzz --module FILE --seed N --round R\n"
		"       fuzz --module FILE --seed N --actor A... [--steps N]\n"
		"       fuzz --print LOG\n");
	exit(2);
}

enum { MODULE, SEED, LOG, SECONDS, ROUND, ACTOR, STEPS, REPLAY, PRINT, IDLE };

static const struct option options[] = {
	{ "module", required_argument, NULL, MODULE },
	{ "seed", required_argument, NULL, SEED },
	{ "log", required_argument, NULL, LOG },
	{ "seconds", required_argument, NULL, SECONDS },
	{ "round", required_argument, NULL, ROUND },
	{ "actor", required_argument, NULL, ACTOR },
	{ "steps", required_argument, NULL, STEPS },
	{ "replay", required_argument, NULL, REPLAY },
	{ "print", required_argument, NULL, PRINT },
	{ "idle", no_argument, NULL, IDLE },
	{},
};

static uint64_t number(const char *text)
{
	char *end;
	uint64_t n = strtoull(text, &end, 0);

	if (!*text || *end)
		usage();
	return n;
}

static uint64_t any_seed(void)
{
	uint32_t seed;

	if (getrandom(&seed, sizeof(seed), 0) != sizeof(seed))
		bail("getrandom");
	return seed;
}

static void rounds(const struct fuzz_plan *plan)
{
	bool good;

	/* a repeated round needs none of this */
	if (!plan->rounds &&
	    !ok(fuzz_rehearse(plan), "seed %" PRIu64 ": each kind of step works", plan->seed))
		return;
	good = fuzz_rounds(plan);
	fuzz_log_table();
	if (ok(good, "seed %" PRIu64 ": rounds %u ...", plan->seed, plan->first_round) &&
	    !plan->rounds)
		ok(fuzz_log_worked(true, true), "each kind of step worked often enough");
}

int main(int argc, char **argv)
{
	struct fuzz_plan plan = { .seed = any_seed() };
	const char *log = NULL, *replays[64];
	unsigned int actors[64], nr_actors = 0, nr_replays = 0, steps = 100, i;
	bool good;
	int option;

	while ((option = getopt_long(argc, argv, "", options, NULL)) != -1) {
		switch (option) {
		case MODULE:
			plan.module = optarg;
			break;
		case SEED:
			plan.seed = number(optarg);
			break;
		case LOG:
			log = optarg;
			break;
		case SECONDS:
			plan.seconds = number(optarg);
			break;
		case ROUND:
			plan.first_round = number(optarg);
			plan.rounds = 1;
			break;
		case ACTOR:
			if (nr_actors == ARRAY_SIZE(actors))
				usage();
			actors[nr_actors++] = number(optarg);
			break;
		case STEPS:
			steps = number(optarg);
			break;
		case REPLAY:
			if (nr_replays == ARRAY_SIZE(replays))
				usage();
			replays[nr_replays++] = optarg;
			break;
		case PRINT:
			if (fuzz_log_open(optarg, false))
				bail("%s: %s", optarg, strerror(errno));
			fuzz_log_tail(~0U);
			return 0;
		case IDLE: /* act_exec(): this program keeps a server's files open for a while */
			poll(NULL, 0, 300);
			return 0;
		default:
			usage();
		}
	}
	if (!plan.module || optind < argc)
		usage();

	setvbuf(stdout, NULL, _IOLBF, 0);
	if (fuzz_log_open(log, true))
		bail("log: %s", strerror(errno));
	if (!fuzz_prepare(&plan))
		bail("module");
	for (i = 0; i < nr_replays; i++)
		if (!ok(fuzz_replay(&plan, replays[i]), "%s", replays[i]))
			return done();
	if (nr_actors) {
		good = fuzz_alone(&plan, actors, nr_actors, steps);
		fuzz_log_tail(~0U);
		ok(good, "seed %" PRIu64 ": %u actors, %u steps each", plan.seed, nr_actors, steps);
	} else if (plan.rounds || plan.seconds) {
		rounds(&plan);
	}
	return done();
}
