// SPDX-License-Identifier: GPL-2.0
/*
 * death.c - invariant 5 (docs/design.md) where the death matrix has no cell: the server holds all
 * requests of a load, is stopped or stuck, or dies while idle, before START, or at a random moment.
 * Every request must end, nothing may hang or hold the module, and the device must be deletable.
 *
 * Server and client are those of the matrix.
 */
#define _GNU_SOURCE
#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <signal.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>

#include "matrix.h"
#include "tap.h"

/* How a scene begins; a bit set. */
enum {
	FORKED = 1 << 0, /* a child of the server has everything open as well */
	SHORT_TIMEOUT = 1 << 1,
	IDLE = 1 << 2, /* no load */
	UNSTARTED = 1 << 3, /* the server doesn't call START */
};

struct scene {
	struct shared *sh;
	struct raw raw; /* for control */
	pid_t server, client;
	int how;
};

static const struct mode *mode_copy(void)
{
	unsigned int i;

	for (i = 0; modes[i].xfer != UBDX_XFER_COPY;)
		i++;
	return &modes[i];
}

static void start_server(struct scene *s, bool recovers)
{
	int ready;

	atomic_store(&s->sh->server_ready, 0);
	s->server = fork();
	if (!s->server)
		server_main(s->sh, recovers);
	within(10, (ready = atomic_load(&s->sh->server_ready)));
	if (ready != 1)
		bail("server: %s", strerror(-ready));
}

static void begin(struct scene *s, enum trick trick, int how)
{
	static int id;

	*s = (struct scene){ .how = how };
	s->sh = mmap(NULL, sizeof(*s->sh), PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS, -1,
		     0);
	if (s->sh == MAP_FAILED)
		bail("out of memory");
	/* another number each time: the previous device may not be gone yet */
	s->sh->id = id++ % 32;
	s->sh->mode = mode_copy();
	s->sh->hold = HOLD_NONE;
	s->sh->trick = trick;
	s->sh->timeout_ms = (how & SHORT_TIMEOUT ? 1000 : 30000) * raw_slow();
	s->sh->forks = how & FORKED;
	s->sh->no_start = how & UNSTARTED;
	raw_defaults(&s->raw);
	s->raw.add.id = s->sh->id;
	snprintf(s->raw.path, sizeof(s->raw.path), "/dev/ubdxb%d", s->sh->id);
	start_server(s, false);
	s->raw.ctl = open("/dev/" UBDX_CONTROL_NAME, O_RDWR | O_CLOEXEC);
	if (how & (IDLE | UNSTARTED))
		return;
	s->client = fork();
	if (!s->client)
		client_main(s->sh);
	if (!within(10, s->sh->client_ready))
		bail("the client doesn't start");
}

/* Wait until the load runs, or until the server holds all of it. */
static void settle(struct scene *s)
{
	if (s->sh->trick == HOLD_LOAD)
		within(10, s->sh->held >= LOADERS);
	else
		within(10, s->sh->load_ios > 200 || s->sh->loaders < LOADERS);
}

/* Wait until the load makes no progress any more. */
static void get_stuck(struct scene *s)
{
	long before;

	do {
		before = s->sh->load_ios;
		poll(NULL, 0, 300);
	} while (s->sh->load_ios != before);
}

static bool load_ended(struct scene *s, unsigned int seconds)
{
	return within(seconds, !s->sh->loaders);
}

/*
 * Has the load failed with permitted errnos? At least one thread must have failed with @error.
 * The others can have failed with EIO, because their requests were younger than the timeout when
 * another request was late, or with an errno of a disk that is gone and so has size 0.
 */
static bool load_failed_with(struct scene *s, int error)
{
	int i, e, right = 0, late = 0;

	for (i = 0; i < LOADERS; i++) {
		e = s->sh->load_failed[i];
		right += e == error;
		late += e != error && (e == EIO || e == ENODATA || e == ENOSPC || e == ENXIO);
		if (right + late <= i)
			printf("# load: %s\n", strerror(e));
	}
	return right && right + late == LOADERS;
}

static bool module_free(void)
{
	char text[16] = "";
	int fd = open("/sys/module/ubdx/refcnt", O_RDONLY | O_CLOEXEC);

	if (fd < 0 || read(fd, text, sizeof(text) - 1) <= 0)
		bail("the module's references: %s", strerror(errno));
	close(fd);
	return !strcmp(text, "0\n");
}

static void end_process(pid_t pid)
{
	if (pid <= 0)
		return;
	kill(pid, SIGKILL);
	waitpid(pid, NULL, 0);
}

static void end_scene(struct scene *s)
{
	if (s->sh->child > 0)
		kill(s->sh->child, SIGKILL);
	end_process(s->client);
	end_process(s->server);
	raw_ctl(&s->raw, UBDX_IOC_DEL, UBDX_CTL_FORCE);
	close(s->raw.ctl);
	munmap(s->sh, sizeof(*s->sh));
}

/* How a scene must end. */
static void aftermath(struct scene *s, const char *what, int error)
{
	struct ubdx_info info;
	int ret;

	if (!ok(load_ended(s, 10), "%s: every request ends", what)) {
		system("dmesg | tail -20; cat /proc/[0-9]*/stack 2>/dev/null | head -60");
		bail("requests hang");
	}
	ok(load_failed_with(s, error), "   with the right error");
	ok(!s->sh->wrong_in && !s->sh->wrong_out, "   and none has had wrong data");
	ok(raw_gone(&s->raw, 10), "   the block device is gone");
	ret = raw_info(&s->raw, &info);
	ok(ret == -ENODEV || (!ret && info.state == UBDX_S_DEAD), "   the device says so");
	end_process(s->client);
	s->client = 0;
	if (!ret)
		is(raw_ctl(&s->raw, UBDX_IOC_DEL, 0), 0, "   it can be deleted");
	end_scene(s);
	ok(within(10, module_free()), "   nothing holds the module");
}

/* ---- scenes ---- */

static void killed(const char *what, enum trick trick, int how)
{
	struct scene s;

	begin(&s, trick, how);
	settle(&s);
	kill(s.server, SIGKILL);
	aftermath(&s, what, EIO);
}

static void signal_queue(struct scene *s, int sig)
{
	if (syscall(SYS_tgkill, s->server, s->sh->server_tid[0], sig))
		bail("tgkill: %s", strerror(errno));
}

static void leaves(const char *what, int sig)
{
	struct scene s;

	begin(&s, NO_TRICK, 0);
	settle(&s);
	signal_queue(&s, sig);
	aftermath(&s, what, EIO);
}

static void deleted(const char *what, enum trick trick, int sig)
{
	struct scene s;
	int status = -1;
	double start;

	begin(&s, trick, 0);
	settle(&s);
	is(raw_ctl(&s.raw, UBDX_IOC_DEL, 0), -EBUSY, "DEL of an open device is refused");
	if (sig)
		kill(s.server, sig);
	start = raw_now();
	is(raw_ctl(&s.raw, UBDX_IOC_DEL, UBDX_CTL_FORCE), 0, "a forced one is not");
	ok(raw_now() - start < 5, "   and doesn't wait for the server");
	if (!sig) {
		if (within(5, waitpid(s.server, &status, WNOHANG)))
			s.server = 0;
		is(status, 0, "   the server is notified and leaves");
	}
	aftermath(&s, what, EIO);
}

static void timed_out(const char *what, enum trick trick, int sig)
{
	struct scene s;
	double start;

	begin(&s, trick, SHORT_TIMEOUT);
	settle(&s);
	start = raw_now();
	if (sig)
		kill(s.server, sig);
	ok(load_ended(&s, 8), "%s: requests end", what);
	ok(raw_now() - start < 6, "   soon after the timeout");
	aftermath(&s, what, ETIMEDOUT);
}

/* The driver copies a payload from or to a page that is never provided. */
static void stuck(void)
{
	struct scene s;
	double start = raw_now();

	begin(&s, BUFFERS_STUCK, SHORT_TIMEOUT);
	ok(load_ended(&s, 8), "stuck in a page fault past the timeout: requests end");
	ok(raw_now() - start < 8, "   soon after it");
	is(waitpid(s.server, NULL, WNOHANG), 0, "   the driver doesn't kill the server");
	aftermath(&s, "stuck", ETIMEDOUT);
}

static void stuck_deleted(const char *what, enum trick trick)
{
	struct scene s;
	double start;

	begin(&s, trick, 0);
	get_stuck(&s);
	start = raw_now();
	is(raw_ctl(&s.raw, UBDX_IOC_DEL, UBDX_CTL_FORCE), 0, what);
	ok(raw_now() - start < 5, "   doesn't wait for the server");
	aftermath(&s, what, EIO);
}

/* A process that tries to become the server while there is one changes nothing. */
static void second_open(void)
{
	struct scene s;
	struct raw second;
	int i, refused = 0;
	long before;

	begin(&s, NO_TRICK, 0);
	settle(&s);
	before = s.sh->load_ios;
	second = s.raw;
	for (i = 0; i < 500; i++)
		refused += raw_open(&second) == -EBUSY;
	is(refused, 500, "a second open of the channel under load is refused, 500 times");
	is(s.sh->loaders, LOADERS, "   and no request fails");
	ok(within(10, s.sh->load_ios > before), "   the device is still served");
	kill(s.server, SIGKILL);
	aftermath(&s, "   killed after that", EIO);
}

/*
 * Before START, if a child has everything open, only the end of the server's mm tells the driver
 * that the server is gone.
 */
static void dead_before_start(const char *what, int how)
{
	struct scene s;
	double start;

	begin(&s, NO_TRICK, UNSTARTED | how);
	end_process(s.server);
	s.sh->no_start = s.sh->forks = false;
	start = raw_now();
	start_server(&s, true);
	close(raw_bdev(&s.raw, O_RDWR));
	ok(raw_now() - start < 5, "%s before START: another server can start the device at once",
	   what);
	is(raw_ctl(&s.raw, UBDX_IOC_DEL, UBDX_CTL_FORCE), 0, "   it can be deleted");
	end_scene(&s);
	ok(within(10, module_free()), "   nothing holds the module");
}

/* No request comes, so only the server's mm, the ring or the tick tells the driver of the end. */
static void idle(const char *what, int how, int sig)
{
	struct scene s;

	begin(&s, NO_TRICK, IDLE | how);
	close(raw_bdev(&s.raw, O_RDWR));
	poll(NULL, 0, 300); /* let the partition scan end */
	if (sig == SIGKILL)
		kill(s.server, sig);
	else
		signal_queue(&s, sig);
	ok(raw_gone(&s.raw, 10), "%s while idle: the device goes", what);
	end_scene(&s);
	ok(within(10, module_free()), "   nothing holds the module");
}

/* Kill the server or delete the device at a random moment. */
static void races(unsigned int rounds)
{
	unsigned int i, seed = 1, ended = 0, gone = 0, deleted = 0;

	for (i = 0; i < rounds; i++) {
		int how = (rand_r(&seed) % 2 ? FORKED : 0) | (rand_r(&seed) % 4 ? 0 : IDLE);
		struct scene s;

		begin(&s, NO_TRICK, how);
		usleep(rand_r(&seed) % 20000);
		if (rand_r(&seed) % 3)
			kill(s.server, SIGKILL);
		else
			deleted += raw_ctl(&s.raw, UBDX_IOC_DEL, UBDX_CTL_FORCE) == 0;
		ended += load_ended(&s, 10);
		gone += raw_gone(&s.raw, 10);
		end_scene(&s);
	}
	is(ended, rounds, "killed or deleted at any moment: every request ends");
	is(gone, rounds, "   every block device goes");
	ok(deleted > 0, "   (some were deleted)");
	ok(within(10, module_free()), "   nothing holds the module");
}

int main(void)
{
	killed("SIGKILL under load", NO_TRICK, 0);
	killed("SIGKILL while it holds requests", HOLD_LOAD, 0);
	killed("SIGKILL while a forked child keeps ring and channel", NO_TRICK, FORKED);
	killed("the same while it holds requests", HOLD_LOAD, FORKED);
	leaves("a queue's thread exits", SIGUSR1);
	leaves("the ring is closed", SIGUSR2);
	deleted("forced DEL under load", NO_TRICK, 0);
	deleted("forced DEL while it holds requests", HOLD_LOAD, 0);
	deleted("forced DEL while it is stopped", NO_TRICK, SIGSTOP);
	timed_out("requests are held past the timeout", HOLD_LOAD, 0);
	timed_out("SIGSTOP past the timeout", NO_TRICK, SIGSTOP);
	stuck();
	stuck_deleted("stuck in a page fault: a forced DEL", BUFFERS_STUCK);
	stuck_deleted("stuck with its ring locked: a forced DEL", RING_STUCK);
	second_open();
	dead_before_start("killed", 0);
	dead_before_start("killed, with a forked child that keeps ring and channel,", FORKED);
	idle("SIGKILL, with a forked child that keeps ring and channel,", FORKED, SIGKILL);
	idle("the ring is closed", 0, SIGUSR2);
	races(40);
	return done();
}
