/* SPDX-License-Identifier: GPL-2.0 */
/*
 * fuzz.h - a seeded fuzzer of everything that the driver accepts from user space. fuzz.c says how
 * to run it.
 *
 * It runs in rounds. In a round some *actors*, each a process group of its own, work on the same
 * few devices. A supervisor kills, stops and replaces actors, and in the end checks that everything
 * goes away (fuzz_round.c). An actor has a *role* (fuzz_server.c, fuzz_control.c, fuzz_client.c; on
 * devices with honest servers fuzz_recovery.c, fuzz_witness.c) and does one *action* of its role
 * after the other. A new action is a function and an entry in its role's table.
 *
 * A generator that is seeded by (seed, actor, step), and by nothing else, selects each step's
 * action and arguments. So an actor that is run again does the same things, and so does a single
 * step, given its generator's state, which is in the log. The order in which different actors take
 * their steps isn't repeatable, and neither are the kernel's answers.
 */
#ifndef UBDX_FUZZ_H
#define UBDX_FUZZ_H

#include <setjmp.h>
#include <stdatomic.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <sys/types.h>

#include "ubdx.h"

#define FUZZ_NR_XFER (UBDX_XFER_FORWARD + 1)

#define FUZZ_IDS 8 /* devices have numbers below this, so that actors meet */
#define FUZZ_HONEST 2 /* the next 2 numbers have honest servers: fuzz_recovery.c */
#define FUZZ_MAX_DEVICES 14
#define FUZZ_ACTORS_PER_ROUND 1000 /* actor number = round * this + n */

/* No client ever writes this, and no device may return it: see fuzz_client.c. */
#define FUZZ_CANARY 0xb105f00dcafe5ec2ULL

/* ---- chance (fuzz_log.c) ---- */

struct rng {
	uint64_t state;
};

uint64_t rng_next(struct rng *rng);
uint64_t rng_seed(uint64_t seed, uint64_t a, uint64_t b);
/* 0 … n - 1 */
uint32_t rng_below(struct rng *rng, uint32_t n);
/* A number, often one at some limit. */
uint64_t rng_edge(struct rng *rng);

/* ---- actors ---- */

struct actor {
	unsigned int number;
	const struct role *role;
	struct rng rng; /* the generator of this step */
	struct record *record;
	unsigned int action; /* index into the role's table */
};

/*
 * In every other round servers also offer the modes in which the driver can't check how much of a
 * READ they have filled. Our servers lie about that, so clients of these rounds can read old memory
 * content.
 */
static inline bool fuzz_trusts(const struct actor *a)
{
	return a->number / FUZZ_ACTORS_PER_ROUND % 2;
}

struct action {
	const char *name;
	unsigned int weight;
	void (*fn)(struct actor *a); /* NULL: see fuzz_note() */
	/*
	 * At least this many of a thousand steps must work, over a long run. The number is far
	 * below what was measured: the test must not fail by chance, and must fail if an action
	 * does nothing any more.
	 */
	unsigned int floor;
};

struct role {
	const char *name;
	unsigned int weight;
	void (*init)(struct actor *a); /* NULL: nothing to set up */
	const struct action *actions; /* an actor begins with the first one; ends with {} */
};

extern const struct role fuzz_server, fuzz_control, fuzz_client, fuzz_heir, fuzz_witness;
extern const struct role *const fuzz_roles[]; /* ends with NULL */

static inline uint32_t below(struct actor *a, uint32_t n)
{
	return rng_below(&a->rng, n);
}

static inline bool chance(struct actor *a, unsigned int percent)
{
	return below(a, 100) < percent;
}

static inline uint64_t edge(struct actor *a)
{
	return rng_edge(&a->rng);
}

#define ARRAY_SIZE(a) (sizeof(a) / sizeof((a)[0]))
#define PICK(a, array) ((array)[below(a, ARRAY_SIZE(array))])

/*
 * In a *rehearsal* half of an actor's steps are actions that have not worked yet, and servers are
 * set up so that these actions can work. The rehearsal ends when each action has worked.
 */
extern bool fuzz_rehearses;

/* Become the actor and do its steps. 0 steps: until it is killed. */
void fuzz_act(uint64_t seed, unsigned int number, unsigned int steps) __attribute__((noreturn));
/* Do one step, with this state of its generator. */
void fuzz_step(struct actor *a, const struct action *action, unsigned int step, uint64_t draw);
const struct role *fuzz_role_of(uint64_t seed, unsigned int number);
const struct action *fuzz_find_action(const char *role_name, const char *name,
				      const struct role **role);

/*
 * A process of the fuzzer that dies of a signal has found a bug in the fuzzer or in the driver. It
 * reports where: see broken(). Touching memory that may be missing is the exception: set
 * fuzz_touching, and the thread continues at fuzz_after_fault.
 */
void fuzz_catch_faults(void);
extern __thread sigjmp_buf fuzz_after_fault;
extern __thread volatile bool fuzz_touching;

/* ---- the log (fuzz_log.c): shared by all actors, and a file that survives them ---- */

/* @path NULL: the log is in memory only. @new false: open the log of an earlier run. */
int fuzz_log_open(const char *path, bool new);
struct record *fuzz_log_begin(struct actor *a, const char *action, unsigned int step,
			      uint64_t draw);
/* Note what the step does, for a reader. */
void args(struct actor *a, const char *fmt, ...) __attribute__((format(printf, 2, 3)));
/*
 * The step reached its purpose: an honest step succeeded, or a hostile step was tried where it
 * could do harm, whatever the kernel answered. Counted once for each step; see struct action.
 */
void worked(struct actor *a);
bool fuzz_step_worked(const struct actor *a);
/* Count a result in an entry of the role's table that isn't an action: something that must work. */
void fuzz_note(const struct role *role, const char *name, bool good);
bool fuzz_has_worked(const struct role *role, unsigned int action);
/* A rule was broken: the round fails. */
void broken(const char *fmt, ...) __attribute__((format(printf, 1, 2)));
const char *fuzz_broken(void); /* or NULL */
/* A process of ours has ended with that status. If that was its own fault, the round fails. */
void fuzz_judge(pid_t pid, int status);
unsigned long fuzz_log_count(void);
void fuzz_log_table(void); /* print the actions, how often they were taken, how often they worked */
/* Reset the counts: a rehearsal has another mixture of steps. */
void fuzz_log_forget(void);
/* Has each action worked? With @floors: has it worked at least as often as its floor demands? */
bool fuzz_log_worked(bool floors, bool say);
void fuzz_log_tail(unsigned int records); /* print in --replay's format */

/* ---- honest devices (fuzz_recovery.c) ---- */

/* Set up what honest devices hold, for the whole run. Called before the first actor. */
void fuzz_recovery_prepare(void);

/* ---- rounds (fuzz_round.c) ---- */

struct fuzz_plan {
	uint64_t seed;
	const char *module;
	double seconds;
	unsigned int first_round, rounds; /* rounds 0: as many as there is time for */
};

/* Each returns false if something is wrong, after it has printed what. */
bool fuzz_prepare(const struct fuzz_plan *plan); /* first of all */
bool fuzz_rehearse(const struct fuzz_plan *plan);
bool fuzz_rounds(const struct fuzz_plan *plan);
bool fuzz_alone(const struct fuzz_plan *plan, const unsigned int *actors, unsigned int nr,
		unsigned int steps);
bool fuzz_replay(const struct fuzz_plan *plan, const char *path);

#endif /* UBDX_FUZZ_H */
