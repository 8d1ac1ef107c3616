// SPDX-License-Identifier: GPL-2.0
/*
 * stops.c - the ways to delete an open device: in good order, at the last close, by force; and what
 * happens when they meet each other, a re-open, or the end of the server.
 */
#define _GNU_SOURCE
#include <errno.h>
#include <fcntl.h>
#include <linux/blkpg.h>
#include <poll.h>
#include <signal.h>
#include <stdatomic.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/wait.h>
#include <unistd.h>

#include "raw.h"
#include "tap.h"

#define AT (1 << 20) /* away from the partition scan */

/* What the server does with the request at AT, or with all requests. */
enum { SERVE, HOLD, HOLD_ALL, LEAVE };
static atomic_int does, held;
static char stored[4096]; /* what was written at AT */

static int32_t answer(struct raw_queue *q, const struct ubdx_desc *desc, char *buf)
{
	bool there = desc->sector == AT / 512 && desc->nr_sectors;
	int what = atomic_load(&does);

	if (what == HOLD_ALL || (there && what != SERVE)) {
		atomic_fetch_add(&held, 1);
		if (what == LEAVE)
			pthread_exit(NULL);
		return RAW_HOLD;
	}
	if (desc->op == UBDX_OP_WRITE && there)
		memcpy(stored, buf, sizeof(stored));
	return desc->op == UBDX_OP_FLUSH ? 0 : (int32_t)desc->nr_sectors * 512;
}

static void end(struct raw_server *s)
{
	pthread_join(s->thread, NULL);
	close(s->raw.chan);
	close(s->raw.ctl);
}

/* Returns the device's state | status << 8, or -ENODEV if there is no such device. */
static int status_of(const struct raw *raw)
{
	struct ubdx_info info;
	int ret = raw_info(raw, &info);

	return ret ?: (int)(info.state | info.status << 8);
}

#define STOPPING (UBDX_INFO_STOPPING << 8)

static bool soon(const struct raw *raw, int status, unsigned int seconds)
{
	int now;

	if (within(seconds, (now = status_of(raw)) == status))
		return true;
	printf("#   status %#x, wanted %#x\n", now, status);
	return false;
}

static void begin(struct raw_server *s, unsigned int recovery)
{
	raw_defaults(&s->raw);
	s->raw.add.params.recovery = recovery;
	atomic_store(&does, SERVE);
	atomic_store(&held, 0);
	memset(stored, 0, sizeof(stored));
	raw_server_start(s, answer);
	if (!soon(&s->raw, UBDX_S_LIVE, 10))
		bail("the partition scan doesn't end");
}

/* Through the page cache. */
static int buffered(const struct raw *raw)
{
	int fd = open(raw->path, O_RDWR | O_CLOEXEC);

	if (fd < 0)
		bail("open %s: %s", raw->path, strerror(errno));
	return fd;
}

static bool dirty(int fd)
{
	char data[4096];

	memset(data, 'x', sizeof(data));
	return pwrite(fd, data, sizeof(data), AT) == sizeof(data);
}

static bool is_stored(void)
{
	return stored[0] == 'x' && stored[4095] == 'x';
}

/* ---- a thread that waits in an ioctl ---- */

struct caller {
	pthread_t thread;
	int fd;
	unsigned long cmd;
	struct ubdx_ctl ctl;
	int ret;
	atomic_int ended;
};

static void *caller_main(void *arg)
{
	struct caller *c = arg;

	c->ret = ioctl(c->fd, c->cmd, &c->ctl) < 0 ? -errno : 0;
	atomic_store(&c->ended, 1);
	return NULL;
}

static void start_caller(struct caller *c, const struct raw *raw, unsigned long cmd,
			 unsigned int flags)
{
	*c = (struct caller){ .fd = raw->ctl, .cmd = cmd };
	c->ctl = (struct ubdx_ctl){ .id = raw->add.id, .flags = flags };
	pthread_create(&c->thread, NULL, caller_main, c);
}

static int join_caller(struct caller *c)
{
	if (!within(20, c->ended))
		bail("a caller doesn't return");
	pthread_join(c->thread, NULL);
	return c->ret;
}

/* ---- at the last close ---- */

static void last_close(void)
{
	struct raw_server s;
	int fd, again;

	begin(&s, UBDX_RECOVERY_FAIL);
	is(raw_own(&s.raw, UBDX_IOC_DEL, UBDX_CTL_LAST_CLOSE), 0,
	   "DEL at the last close: a device that isn't open is deleted at once");
	is(status_of(&s.raw), -ENODEV, "   out of the table");
	end(&s);

	begin(&s, UBDX_RECOVERY_FAIL);
	fd = buffered(&s.raw);
	is(raw_own(&s.raw, UBDX_IOC_DEL, UBDX_CTL_LAST_CLOSE), -EINPROGRESS,
	   "one that is open stays");
	is(raw_own(&s.raw, UBDX_IOC_DEL, UBDX_CTL_LAST_CLOSE), -EINPROGRESS,
	   "   also when that is requested again");
	ok(soon(&s.raw, UBDX_S_LIVE | STOPPING, 10), "   live, and marked");
	ok(dirty(fd) && !fsync(fd) && is_stored(), "   it is served");
	is(raw_ctl(&s.raw, UBDX_IOC_DEL, 0), -EBUSY, "   and in use");
	again = buffered(&s.raw);
	close(fd);
	ok(soon(&s.raw, UBDX_S_LIVE | STOPPING, 1), "opened again before that: it stays");
	memset(stored, 0, sizeof(stored));
	ok(dirty(again), "   it is written to");
	close(again);
	ok(soon(&s.raw, -ENODEV, 10), "the last close deletes it");
	ok(is_stored(), "   what was dirty is at the server");
	ok(raw_gone(&s.raw, 10), "   its node is gone");
	end(&s);
}

static void last_close_of_a_partition(void)
{
	struct blkpg_partition part = { .start = AT, .length = AT, .pno = 1 };
	struct blkpg_ioctl_arg arg = { .op = BLKPG_ADD_PARTITION,
				       .datalen = sizeof(part),
				       .data = &part };
	struct raw_server s;
	char path[40];
	int fd, disk;

	begin(&s, UBDX_RECOVERY_FAIL);
	disk = buffered(&s.raw);
	is(ioctl(disk, BLKPG, &arg), 0, "it has a partition");
	snprintf(path, sizeof(path), "%sp1", s.raw.path);
	fd = open(path, O_RDONLY | O_CLOEXEC);
	ok(fd >= 0, "   which is open");
	close(disk);
	is(raw_own(&s.raw, UBDX_IOC_DEL, UBDX_CTL_LAST_CLOSE), -EINPROGRESS, "   so it stays");
	close(fd);
	ok(soon(&s.raw, -ENODEV, 10), "   until that is closed");
	end(&s);
}

/*
 * A queue's thread exits. If the device recovered, this process, its failed server, would be
 * killed.
 */
static void server_fails(void)
{
	struct raw_server s;
	char *mem = raw_mem(4096);
	int fd;

	begin(&s, UBDX_RECOVERY_QUEUE);
	fd = raw_bdev(&s.raw, O_RDONLY);
	is(raw_own(&s.raw, UBDX_IOC_DEL, UBDX_CTL_LAST_CLOSE), -EINPROGRESS,
	   "a device that recovers is to be deleted");
	is(raw_ctl(&s.raw, UBDX_IOC_QUIESCE, 0), -ESHUTDOWN, "   it isn't handed over any more");
	atomic_store(&does, LEAVE);
	is(pread(fd, mem, 4096, AT) < 0 ? errno : 0, EIO, "   its server fails: I/O ends");
	ok(soon(&s.raw, UBDX_S_DEAD, 10), "   it waits for no other");
	close(fd);
	ok(soon(&s.raw, -ENODEV, 10), "   and still goes with the last close");
	raw_queue_exit(&s.queue);
	end(&s);
}

/* ---- in good order ---- */

static void in_use(const char *what, int (*ctl)(const struct raw *, unsigned long, unsigned int))
{
	struct raw_server s;
	char byte;
	int fd;

	begin(&s, UBDX_RECOVERY_FAIL);
	fd = buffered(&s.raw);
	ok(dirty(fd) && !is_stored(), "dirty pages");
	is(ctl(&s.raw, UBDX_IOC_DEL, UBDX_CTL_IN_USE), 0, what);
	ok(is_stored(), "   the server has got what was dirty");
	is(status_of(&s.raw), -ENODEV, "   the device is gone");
	ok(pread(fd, &byte, 1, 0) <= 0, "   a process that had it open reads nothing");
	close(fd);
	end(&s);
}

/* Begin a DEL in good order. Its write-back waits for a server that doesn't answer. */
static void begin_held(struct raw_server *s, struct caller *c, int *fd, unsigned int timeout_ms)
{
	begin(s, UBDX_RECOVERY_QUEUE);
	*fd = buffered(&s->raw);
	dirty(*fd);
	atomic_store(&does, HOLD);
	*c = (struct caller){ .fd = s->raw.ctl, .cmd = UBDX_IOC_DEL };
	c->ctl = (struct ubdx_ctl){ .id = s->raw.add.id,
				    .flags = UBDX_CTL_IN_USE,
				    .timeout_ms = timeout_ms };
	pthread_create(&c->thread, NULL, caller_main, c);
	if (!within(20, held))
		bail("nothing is written back");
}

static void limit(void)
{
	struct raw_server s;
	struct caller c;
	double start;
	int fd;

	begin_held(&s, &c, &fd, 1000);
	start = raw_now();
	is(join_caller(&c), 0, "in good order, with a limit");
	ok(raw_now() - start < 15, "   below the I/O timeout: %.1f s", raw_now() - start);
	is(fsync(fd) ? errno : 0, EIO, "   what was not written is known to be lost");
	close(fd);
	end(&s);
}

/* A process that waits for another process's DEL can be killed. */
static bool dies_waiting(const struct raw *raw)
{
	pid_t pid = fork(), reaped = 0;

	if (!pid) {
		raw_ctl(raw, UBDX_IOC_DEL, 0);
		_exit(0);
	}
	poll(NULL, 0, 100); /* it should be waiting by now */
	kill(pid, SIGKILL);
	return within(10, (reaped = waitpid(pid, NULL, WNOHANG))) && reaped == pid;
}

static void cut_short(void)
{
	struct raw_server s;
	struct caller c, second;
	double start;
	int fd, ret;

	begin_held(&s, &c, &fd, 0);
	is(status_of(&s.raw), UBDX_S_LIVE | STOPPING,
	   "in good order, which takes its time: meanwhile it is stopping");
	ok(open(s.raw.path, O_RDONLY) < 0, "   and can't be opened");
	ok(dies_waiting(&s.raw), "   a process that waits for it can be killed");
	start_caller(&second, &s.raw, UBDX_IOC_DEL, UBDX_CTL_IN_USE);
	start = raw_now();
	ret = raw_ctl(&s.raw, UBDX_IOC_DEL, UBDX_CTL_FORCE);
	ok(raw_now() - start < 15, "   force cuts it short: %.1f s", raw_now() - start);
	ok(!join_caller(&c) + !join_caller(&second) + !ret == 1,
	   "   one of three DELs has deleted it: %d, %d, %d", c.ret, second.ret, ret);
	is(status_of(&s.raw), -ENODEV, "   it is gone");
	close(fd);
	end(&s);
}

/* The partition scan holds the disk's open_mutex and waits for the server. */
static void during_the_scan(unsigned int flags, const char *what)
{
	struct raw_server s;
	struct caller c;
	int ret;

	raw_defaults(&s.raw);
	atomic_store(&does, HOLD_ALL);
	atomic_store(&held, 0);
	raw_server_start(&s, answer);
	if (!within(10, held))
		bail("no partition scan");
	start_caller(&c, &s.raw, UBDX_IOC_DEL, flags);
	ret = raw_ctl(&s.raw, UBDX_IOC_DEL, UBDX_CTL_FORCE);
	ok(!join_caller(&c) + !ret == 1, "%s: one deletes it: %d, %d", what, c.ret, ret);
	is(status_of(&s.raw), -ENODEV, "   it is gone");
	end(&s);
}

/* ---- by force ---- */

/* The queue's thread exits as soon as it can, and closes the ring: that is no failure. */
static void own_force(void)
{
	struct raw_server s;
	unsigned int i, rounds = 20, deleted = 0;

	for (i = 0; i < rounds; i++) {
		int fd;

		begin(&s, UBDX_RECOVERY_QUEUE);
		fd = buffered(&s.raw);
		deleted += !raw_own(&s.raw, UBDX_IOC_DEL, UBDX_CTL_FORCE) &&
			   status_of(&s.raw) == -ENODEV;
		close(fd);
		end(&s);
	}
	is(deleted, rounds, "a server deletes its own device by force, though it recovers");
}

/* A hand-over waits for a request that the server holds. */
static void own_force_during_a_hand_over(void)
{
	char *mem = raw_mem(4096);
	struct raw_server s;
	struct caller c;
	int fd;

	begin(&s, UBDX_RECOVERY_QUEUE);
	fd = buffered(&s.raw);
	atomic_store(&does, HOLD);
	posix_fadvise(fd, AT, 4096, POSIX_FADV_WILLNEED);
	if (!within(10, held))
		bail("no request");
	start_caller(&c, &s.raw, UBDX_IOC_QUIESCE, 0);
	poll(NULL, 0, 100); /* it should be waiting by now */
	is(raw_own(&s.raw, UBDX_IOC_DEL, UBDX_CTL_FORCE), 0,
	   "a server deletes its device by force during a hand-over");
	ok(join_caller(&c) < 0, "   the hand-over fails: %s", strerror(-c.ret));
	is(status_of(&s.raw), -ENODEV, "   the device is gone");
	ok(pread(fd, mem, 4096, AT) <= 0, "   a process that had it open reads nothing");
	close(fd);
	end(&s);
}

/* After a hand-over the device is not the old server's any more. */
static void after_a_hand_over(void)
{
	struct raw_server s;

	begin(&s, UBDX_RECOVERY_QUEUE);
	is(raw_ctl(&s.raw, UBDX_IOC_QUIESCE, 0), 0, "a device is handed over");
	is(raw_own(&s.raw, UBDX_IOC_DEL, UBDX_CTL_FORCE), -ENODEV,
	   "   its former server can't delete it");
	is(status_of(&s.raw), UBDX_S_QUIESCED, "   it waits for another");
	is(raw_ctl(&s.raw, UBDX_IOC_DEL, 0), 0, "   and can be deleted");
	end(&s);
}

int main(void)
{
	last_close();
	last_close_of_a_partition();
	server_fails();
	in_use("in good order, by somebody else", raw_ctl);
	in_use("in good order, by the server", raw_own);
	limit();
	cut_short();
	during_the_scan(UBDX_CTL_IN_USE, "by force, while one in good order waits for the scan");
	during_the_scan(UBDX_CTL_LAST_CLOSE, "by force, while one at the last close waits for it");
	own_force();
	own_force_during_a_hand_over();
	after_a_hand_over();
	return done();
}
