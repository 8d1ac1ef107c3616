/* SPDX-License-Identifier: GPL-2.0 */
/*
 * fuzz.h - a seeded fuzzer of everything that the driver takes from userspace. See fuzz.c for how
 * to run it.
 *
 * It runs in rounds. In a round some *actors*, each a process group of its own, work on the same
 * few devices; a supervisor kills, stops and replaces them, and then wants everything back
 * (fuzz_round.c). An actor has a *role* (fuzz_server.c, fuzz_control.c, fuzz_client.c; and on
 * devices with honest servers fuzz_recovery.c, fuzz_witness.c) and does one *action* of its role
 * after the other. A new action is a function and an entry in its role's table.
 *
 * Which action a step is, and each of its arguments, comes from a generator that is seeded by
 * (seed, actor, step) and by nothing else. So an actor that is run again does the same things, and
 * so does a single step, given its generator's state, which is in the log. What can't be had again
 * is how the actors' steps interleave, nor what the kernel answered to them.
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

#define FUZZ_NR_XFER (UBDX_XFER_REGBUF + 1)

#define FUZZ_IDS 8 /* devices have numbers below this, so that actors meet */
#define FUZZ_HONEST 2 /* and so many from there on have honest servers: fuzz_recovery.c */
#define FUZZ_MAX_DEVICES 14
#define FUZZ_ACTORS_PER_ROUND 1000 /* actor number = round * this + n */

/* No client ever writes this, and no device may hand it out: see fuzz_client.c. */
#define FUZZ_CANARY 0xb105f00dcafe5ec2ULL

/* ---- chance (fuzz_log.c) ---- */

struct rng {
	uint64_t state;
};

uint64_t rng_next(struct rng *rng);
uint64_t rng_seed(uint64_t seed, uint64_t a, uint64_t b);
/* 0 … n - 1 */
uint32_t rng_below(struct rng *rng, uint32_t n);
/* Numbers that are on the edge of something more often than not. */
uint64_t rng_edge(struct rng *rng);

/* ---- actors ---- */

struct actor {
	unsigned int number;
	const struct role *role;
	struct rng rng; /* of this step */
	struct record *record;
	unsigned int action; /* index into the role's table */
};

/*
 * In every other round servers offer the modes in which they are believed to have filled what they
 * say of a READ. Ours lie, so clients then find there what was in that memory before.
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
	 * Of a thousand steps at least so many work, over a long run. Far below what was measured:
	 * the test must not fail by luck, and must fail when an action does nothing any more.
	 */
	unsigned int floor;
};

struct role {
	const char *name;
	unsigned int weight;
	void (*init)(struct actor *a); /* NULL: nothing to set up */
	const struct action *actions; /* the first one is also each actor's first; ends with {} */
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
 * In a *rehearsal* half of an actor's steps are actions that have not worked yet, and servers get
 * what these need. It ends when each action of each role has worked.
 */
extern bool fuzz_rehearses;

/* Become the actor and do its steps. 0 steps: until killed. */
void fuzz_act(uint64_t seed, unsigned int number, unsigned int steps) __attribute__((noreturn));
/* Do one step, whose generator has that state. */
void fuzz_step(struct actor *a, const struct action *action, unsigned int step, uint64_t draw);
const struct role *fuzz_role_of(uint64_t seed, unsigned int number);
const struct action *fuzz_find_action(const char *role_name, const char *name,
				      const struct role **role);

/*
 * A process of the fuzzer that dies of a signal has a bug, or has met one of the driver. It says
 * where: see broken(). Touching memory that may not be there is the exception: set fuzz_touching,
 * and the thread continues at fuzz_after_fault.
 */
void fuzz_catch_faults(void);
extern __thread sigjmp_buf fuzz_after_fault;
extern __thread volatile bool fuzz_touching;

/* ---- the log (fuzz_log.c): shared by all actors, and a file that survives them ---- */

/* NULL: in memory. Not @new: that of an earlier run, to read. */
int fuzz_log_open(const char *path, bool new);
struct record *fuzz_log_begin(struct actor *a, const char *action, unsigned int step,
			      uint64_t draw);
/* What the step does, for a reader. */
void args(struct actor *a, const char *fmt, ...) __attribute__((format(printf, 2, 3)));
/*
 * The step did what it is there for: an honest one succeeded, a hostile one was refused or ignored
 * by the kernel, after it was tried where it could do harm. Counted once a step; see struct action.
 */
void worked(struct actor *a);
bool fuzz_step_worked(const struct actor *a);
/* For an entry of the role's table that is no action, but counts what else is to work. */
void fuzz_note(const struct role *role, const char *name, bool good);
bool fuzz_has_worked(const struct role *role, unsigned int action);
/* Something is against the rules: the round fails. */
void broken(const char *fmt, ...) __attribute__((format(printf, 1, 2)));
const char *fuzz_broken(void); /* or NULL */
/* A process of ours has ended with that status: was it its own fault? */
void fuzz_judge(pid_t pid, int status);
unsigned long fuzz_log_count(void);
void fuzz_log_table(void); /* actions, how often, how often they worked */
/* Count anew: a rehearsal's mixture is another. */
void fuzz_log_forget(void);
/* Has each action worked? Or, with @floors: as often as it must over so many steps? */
bool fuzz_log_worked(bool floors, bool say);
void fuzz_log_tail(unsigned int records); /* in --replay's format */

/* ---- honest devices (fuzz_recovery.c) ---- */

/* What they hold, for all of a run. Before the first actor. */
void fuzz_recovery_prepare(void);

/* ---- rounds (fuzz_round.c) ---- */

struct fuzz_plan {
	uint64_t seed;
	const char *module;
	double seconds;
	unsigned int first_round, rounds; /* rounds 0: as many as there is time for */
};

/* Each of them returns false if something is wrong, and has said what. */
bool fuzz_prepare(const struct fuzz_plan *plan); /* first of all */
bool fuzz_rehearse(const struct fuzz_plan *plan);
bool fuzz_rounds(const struct fuzz_plan *plan);
bool fuzz_alone(const struct fuzz_plan *plan, const unsigned int *actors, unsigned int nr,
		unsigned int steps);
bool fuzz_replay(const struct fuzz_plan *plan, const char *path);

#endif /* UBDX_FUZZ_H */
