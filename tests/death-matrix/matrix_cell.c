// SPDX-License-Identifier: GPL-2.0
/*
 * matrix_cell.c - one cell of the death matrix, see matrix.c: bring the subject to its stage, make
 * the server, client or device end, release the subject, and check the results.
 */
#define _GNU_SOURCE
#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <signal.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/mman.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>

#include "matrix_cell.h"
#include "tap.h"

/* ---- setting up ---- */

static unsigned int timeout_ms(const struct way *way)
{
	return (way->end == STOPPED || way->end == STUCK ? 1000 : 30000) * raw_slow();
}

static bool start_server(struct cell *c, bool recovers)
{
	atomic_store(&c->sh->server_ready, 0);
	atomic_store(&c->sh->told, 0);
	c->server = fork();
	if (c->server == 0)
		server_main(c->sh, recovers);
	within(LIMIT, atomic_load(&c->sh->server_ready));
	return want(c, atomic_load(&c->sh->server_ready) == 1, "server: %s",
		    strerror(-atomic_load(&c->sh->server_ready)));
}

static bool start_client(struct cell *c)
{
	c->client = fork();
	if (c->client == 0)
		client_main(c->sh);
	within(LIMIT, atomic_load(&c->sh->client_ready) &&
			      (c->sh->no_load || atomic_load(&c->sh->load_ios) > 20));
	return want(c, atomic_load(&c->sh->client_ready), "the client doesn't start");
}

/* The subject reaches its stage, and is held there. */
static bool reach(struct cell *c)
{
	struct shared *sh = c->sh;

	if (in_driver(c->stage)) {
		/* T0 is in the submitter's task, the others are in the server's */
		pause_write(c, "%d %d %d", c->stage, SUBJECT_SECTOR,
			    c->stage == T0 ? 0 : atomic_load(&sh->server_tid[sh->qid]));
	} else {
		atomic_store(&sh->hold, c->stage == T3 ? SUBJECT_SECTOR : BAIT_SECTOR);
	}
	if (c->stage == T1) {
		atomic_store(&sh->start_bait, 1);
		if (!want(c, within(LIMIT, atomic_load(&sh->held)), "the bait isn't taken"))
			return false;
	}
	atomic_store(&sh->start_subject, 1);
	if (in_driver(c->stage))
		return want(c, within(LIMIT, pause_is(c, "reached")),
			    "the subject doesn't reach its stage");
	if (c->stage == T3)
		return want(c, within(LIMIT, atomic_load(&sh->held)),
			    "the server doesn't get the subject");
	return want(c, within(LIMIT, subject_waits(c)), "the subject isn't published");
}

/* Release the subject. A server that holds it continues only if the way lets the server live. */
static void let_go(struct cell *c)
{
	if (in_driver(c->stage)) {
		want(c, pause_is(c, "reached"), "the subject went on before it was released");
		pause_write(c, "go");
	}
	atomic_store(&c->sh->hold, HOLD_NONE);
	atomic_store(&c->sh->go, c->way->end >= FIRST_TO_LIVE);
}

/* ---- the way ---- */

static void *deleter(void *arg)
{
	struct cell *c = arg;

	c->del_ret = raw_ctl(&c->raw, UBDX_IOC_DEL, c->del_flags);
	atomic_store(&c->deleted, 1);
	return NULL;
}

static void start_del(struct cell *c, unsigned int flags)
{
	c->del_flags = flags;
	pthread_create(&c->deleter, NULL, deleter, c);
}

static void join_del(struct cell *c)
{
	if (want(c, within(LIMIT, atomic_load(&c->deleted)), "DEL hangs"))
		want(c, c->del_ret == 0, "DEL: %s", strerror(-c->del_ret));
}

static void signal_queue(struct cell *c, int sig)
{
	want(c, !syscall(SYS_tgkill, c->server, atomic_load(&c->sh->server_tid[c->sh->qid]), sig),
	     "tgkill: %s", strerror(errno));
}

static void act(struct cell *c)
{
	int ret;

	switch (c->way->end) {
	case KILLED:
		kill(c->server, SIGKILL);
		break;
	case THREAD_EXITS:
		signal_queue(c, SIGUSR1);
		break;
	case RING_CLOSED:
		signal_queue(c, SIGUSR2);
		break;
	case FORK_EXITS:
		kill(c->server, SIGTERM);
		break;
	case DELETED:
		/* the last close waits for the subject, or the subject has ended */
		want(c, within(LIMIT, subject_waits(c) || atomic_load(&c->sh->subject_ended)),
		     "the device isn't closed");
		start_del(c, 0);
		/* a DEL that doesn't wait would have returned by then */
		within(0.03, atomic_load(&c->deleted));
		want(c, c->stage == T7 || !atomic_load(&c->deleted),
		     "DEL doesn't wait for a reader");
		break;
	case DELETED_OPEN:
		ret = raw_ctl(&c->raw, UBDX_IOC_DEL, 0);
		want(c, ret == -EBUSY, "DEL of an open device: %s", strerror(-ret));
		break;
	case DELETED_FORCED:
		start_del(c, UBDX_CTL_FORCE);
		break;
	case UNLOADED:
		ret = syscall(SYS_delete_module, "ubdx", O_NONBLOCK) ? errno : 0;
		want(c, ret == EWOULDBLOCK, "unloading the module: %s", strerror(ret));
		break;
	case CLIENT_KILLED:
		kill(c->client, SIGKILL);
		break;
	case STOPPED:
		kill(c->server, SIGSTOP);
		break;
	case STUCK:
		break;
	}
}

/* Is the server's task held in the driver, with the subject? The task then sees no signal. */
static bool holds_up_server(const struct cell *c)
{
	return in_driver(c->stage) && c->stage != T0;
}

/*
 * The tick kills a server that is late and whose task still doesn't let go of the request. At T7
 * the request has ended, so the tick doesn't kill.
 */
static void is_killed(struct cell *c)
{
	if (holds_up_server(c) && c->stage != T7)
		want(c,
		     within(LIMIT,
			    task_is_killed(c->server, atomic_load(&c->sh->server_tid[c->sh->qid]))),
		     "the server isn't killed");
}

/*
 * Let the driver get as far as it can while the subject is held. An abort can then end all of the
 * load, except at T0, where the abort itself waits for queue_rq.
 */
static void take_effect(struct cell *c)
{
	struct shared *sh = c->sh;

	switch (c->way->end) {
	case KILLED:
	case FORK_EXITS:
		want(c, within(LIMIT, task_is(c->server, c->server, "ZX")),
		     "the server doesn't die");
		break;
	case THREAD_EXITS:
	case RING_CLOSED:
		if (holds_up_server(c))
			return;
		break;
	case STOPPED:
		want(c, within(LIMIT, task_is(c->server, c->server, "T")),
		     "the server doesn't stop");
		return;
	case DELETED_FORCED:
	case STUCK:
		break;
	default:
		return;
	}
	/* a device that recovers changes its state after the abort, which waits for queue_rq */
	if (c->stage == T0 && c->way->recovery)
		return;
	want(c, within(LIMIT, declared_dead(c)), "the server isn't declared dead");
	if (c->way->end == STUCK)
		is_killed(c);
	/* a subject that ubdx_pause.ko doesn't hold must end without help */
	if (c->way->end == STUCK || c->way->end == DELETED_FORCED)
		want(c, in_driver(c->stage) || within(LIMIT, atomic_load(&sh->subject_ended)),
		     "the subject doesn't end by itself");
	/* the load need not end: in mode regbuf a ring that a child keeps open can delay requests */
	if (!c->way->recovery && c->stage != T0)
		within(LIMIT, !atomic_load(&sh->loaders));
}

/* ---- afterwards ---- */

static bool allowed(struct cell *c, int error)
{
	if (!error)
		return true;
	switch (c->way->end) {
	case DELETED:
	case DELETED_OPEN:
	case UNLOADED:
	case CLIENT_KILLED:
		return false;
	case STOPPED:
	case STUCK:
		if (error == ETIMEDOUT)
			return true;
		break;
	default:
		break;
	}
	if (c->way->recovery)
		return c->way->recovery == UBDX_RECOVERY_QUEUE && error == EIO;
	/* errnos of a request that came after the disk was gone: the disk then has size 0 */
	return error == EIO || error == ENODATA || error == ENOSPC || error == ENXIO;
}

/* How each request has ended. */
static void look_at_requests(struct cell *c)
{
	int expected = c->way->subject[c->stage], error, i;
	bool either = expected < 0;
	struct shared *sh = c->sh;
	bool late;

	if (c->way->end == CLIENT_KILLED) {
		want(c, within(LIMIT, exited(c->client, NULL)), "the client hangs");
		c->client = 0;
		return;
	}
	if (!want(c, within(LIMIT, atomic_load(&sh->subject_ended)), "the subject hangs"))
		return;
	error = atomic_load(&sh->subject_error);
	/* if another request is late first, a subject younger than the timeout ends with EIO */
	want(c,
	     error == abs(expected) || (either && !error) ||
		     (expected == ETIMEDOUT && error == EIO),
	     "the subject: %s", strerror(error));
	late = error == ETIMEDOUT;
	if (c->stage == T1) {
		/* the server had read the bait, so the bait ends as the subject does at T3 */
		want(c, within(LIMIT, atomic_load(&sh->bait_ended)), "the bait hangs");
		error = atomic_load(&sh->bait_error);
		want(c, error == c->way->subject[T3], "the bait: %s", strerror(error));
		late |= error == ETIMEDOUT;
	}
	/* while there is load, delivery notices the end of the thread */
	if (c->way->end == THREAD_EXITS)
		want(c, within(LIMIT, declared_dead(c)), "the end of the thread is not noticed");
	atomic_store(&sh->stop_load, 1);
	want(c, within(LIMIT, !atomic_load(&sh->loaders)), "%d threads of the load hang",
	     atomic_load(&sh->loaders));
	for (i = 0; i < LOADERS; i++) {
		error = atomic_load(&sh->load_failed[i]);
		want(c, allowed(c, error), "load: %s", strerror(error));
		late |= error == ETIMEDOUT;
	}
	want(c, late || expected != ETIMEDOUT, "nothing was late");
	want(c, !atomic_load(&sh->wrong_in), "the server got what the client hadn't written");
	want(c, !atomic_load(&sh->wrong_out), "the client got what the server hadn't served");
}

static void still_serves(struct cell *c)
{
	int fd = open(c->raw.path, O_RDWR | O_DIRECT | O_CLOEXEC);
	char *mem = raw_mem(4096);

	want(c,
	     fd >= 0 && pread(fd, mem, 4096, LOAD_SECTOR * 512) == 4096 &&
		     pattern_good(mem, LOAD_SECTOR, 4096),
	     "the device no longer serves");
	if (fd >= 0)
		close(fd);
	munmap(mem, 4096);
}

/*
 * If the device still has a server, the same one or the next, delete the device as usual: the
 * server is notified and exits. Otherwise the block device must be gone already.
 */
static void end_device(struct cell *c)
{
	int ret = 0, status = 0;

	switch (c->way->end) {
	case DELETED:
	case DELETED_FORCED:
		join_del(c);
		break;
	case DELETED_OPEN:
	case UNLOADED:
	case CLIENT_KILLED:
		/* a killed client may still be closing the device */
		within(LIMIT, (ret = raw_ctl(&c->raw, UBDX_IOC_DEL, 0)) != -EBUSY);
		want(c, !ret, "DEL in the end: %s", strerror(-ret));
		break;
	default:
		if (c->way->recovery) {
			within(LIMIT, (ret = raw_ctl(&c->raw, UBDX_IOC_DEL, 0)) != -EBUSY);
			want(c, !ret, "DEL in the end: %s", strerror(-ret));
			break;
		}
		want(c, raw_gone(&c->raw, LIMIT), "the block device stays");
		want(c, state_of(c) == UBDX_S_DEAD, "the device is in state %u", state_of(c));
		ret = raw_ctl(&c->raw, UBDX_IOC_DEL, 0);
		want(c, !ret || ret == -ENODEV, "DEL in the end: %s", strerror(-ret));
		return;
	}
	want(c, raw_gone(&c->raw, LIMIT), "the block device stays");
	want(c, within(LIMIT, exited(c->server, &status)), "the server isn't notified");
	want(c, status == 0, "the server ended with status %d", status);
	c->server = 0;
}

static void take_over(struct cell *c)
{
	int status;

	want(c, within(LIMIT, exited(c->server, &status)), "the server lives on");
	want(c, within(LIMIT, state_of(c) == UBDX_S_QUIESCED), "the device is in state %u",
	     state_of(c));
	start_server(c, true);
}

static void clean_up(struct cell *c)
{
	pid_t pids[] = { c->client, c->server, c->sh->child };
	unsigned int i;

	if (in_driver(c->stage))
		pause_write(c, "go");
	for (i = 0; i < 3; i++)
		if (pids[i] > 0)
			kill(pids[i], SIGKILL);
	for (i = 0; i < 2; i++)
		if (pids[i] > 0)
			want(c, within(LIMIT, exited(pids[i], NULL)), "process %d stays", pids[i]);
	raw_ctl(&c->raw, UBDX_IOC_DEL, UBDX_CTL_FORCE);
	close(c->raw.ctl);
}

static void cell_go(struct cell *c)
{
	if (!start_server(c, false) || !start_client(c) || !reach(c))
		return;
	act(c);
	take_effect(c);
	let_go(c);
	if (c->way->recovery)
		take_over(c);
	look_at_requests(c);
	if (c->way->end == DELETED_OPEN || c->way->end == UNLOADED || c->way->end == CLIENT_KILLED)
		still_serves(c);
	if (c->client > 0 && c->way->end != DELETED) {
		kill(c->client, SIGKILL);
		want(c, within(LIMIT, exited(c->client, NULL)), "the client stays");
		c->client = 0;
	}
	end_device(c);
}

void cell_run(const struct mode *mode, enum stage stage, const struct way *way, int id,
	      char *complaints, size_t size)
{
	struct cell c = { .stage = stage, .way = way, .complaints = complaints, .room = size };

	c.sh = mmap(NULL, sizeof(*c.sh), PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS, -1, 0);
	if (c.sh == MAP_FAILED)
		bail("out of memory");
	c.sh->mode = mode;
	c.sh->id = id;
	atomic_store(&c.sh->hold, HOLD_NONE);
	c.sh->timeout_ms = timeout_ms(way);
	c.sh->recovery = way->recovery;
	c.sh->forks = way->end == FORK_EXITS;
	c.sh->no_load = way->end == DELETED;
	c.sh->subject_writes = stage <= T4 && stage != T3;
	raw_defaults(&c.raw);
	c.raw.add.id = id;
	snprintf(c.raw.path, sizeof(c.raw.path), "/dev/ubdxb%d", id);
	c.raw.ctl = open("/dev/" UBDX_CONTROL_NAME, O_RDWR | O_CLOEXEC);
	cell_go(&c);
	clean_up(&c);
}
