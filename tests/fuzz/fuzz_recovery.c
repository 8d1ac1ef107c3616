// SPDX-License-Identifier: GPL-2.0
/*
 * fuzz_recovery.c - devices that outlive their servers. The servers are honest: they keep what is
 * written, and die in every way. The devices have the numbers from FUZZ_IDS on.
 *
 * An *heir* starts one server after the other. Each is a child process that meets its *fate* at
 * some request. The device's content is in memory that all of them share (struct store), so the
 * next server has what the last one wrote. Heirs also hand devices over, compete for one, and end
 * one now and then. The other roles disturb them.
 *
 * When a server of a device has started, no earlier one has a request any more. An earlier server
 * that still serves one reports an error (check_era()). Two devices that have the same number one
 * after the other are different: the second device's first server waits until the first device's
 * servers have ended.
 *
 * fuzz_witness.c checks what the devices hold.
 */
#define _GNU_SOURCE
#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <signal.h>
#include <stdio.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/mman.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>

#include "fuzz_recovery.h"
#include "halves.h"
#include "tap.h"

#define QUEUES 2
#define TIMEOUT_MS 1000

struct store *stores;
int store_locks = -1;
const uint32_t store_recovery[FUZZ_HONEST] = { UBDX_RECOVERY_REISSUE, UBDX_RECOVERY_QUEUE };

void fuzz_recovery_prepare(void)
{
	stores = mmap(NULL, FUZZ_HONEST * sizeof(*stores), PROT_READ | PROT_WRITE,
		      MAP_SHARED | MAP_ANONYMOUS, -1, 0);
	store_locks = memfd_create("fuzz-locks", MFD_CLOEXEC);
	if (stores == MAP_FAILED || store_locks < 0)
		bail("honest devices: %s", strerror(errno));
}

/* ---- a server ---- */

/* These are also the first actions of an heir, in this order. */
enum fate {
	STAY,
	KILLED,
	EXITS,
	CLOSES_RING,
	CLOSES_CHANNEL,
	THREAD_EXITS,
	LATE,
	ORPHANS,
	NR_FATES
};

/*
 * A *reign* is one server's attempt to get a device, and its time as the device's server. Its *era*
 * is its number among the reigns of this device number that have got the device.
 */
struct reign {
	unsigned int nr; /* the device is FUZZ_IDS + nr */
	enum fate fate;
	unsigned int when; /* before, in the middle of, or after a request's transfer */
	unsigned int limit_ms; /* the server leaves then if too few requests have come */
	bool hand_over; /* take the device over even if it has a server */
	uint64_t offer;
	uint32_t xfer;
	unsigned int era; /* from store->opened */
	int report; /* pipe to the heir: the result of start(), and then 1 when the fate strikes */
	struct actor *a;
	struct raw raw;
	struct raw_queue queues[QUEUES];
	atomic_int left; /* requests until the fate */
	atomic_uint told; /* queues that have learnt that the device is gone */
};

static struct reign *this_reign; /* of this process */

static void say(int what)
{
	(void)!write(this_reign->report, &what, sizeof(what));
}

static void __attribute__((noreturn)) wait_for_the_end(void)
{
	for (;;)
		pause();
}

static void meet_fate(struct raw_queue *q)
{
	struct reign *r = this_reign;

	say(1);
	switch (r->fate) {
	case ORPHANS:
		if (!fork())
			wait_for_the_end();
		/* fall through */
	case KILLED:
		kill(getpid(), SIGKILL);
		wait_for_the_end();
	case EXITS:
		_exit(0);
	case CLOSES_RING:
		io_uring_queue_exit(&q->ring);
		wait_for_the_end();
	case CLOSES_CHANNEL:
		close(r->raw.chan);
		break;
	case THREAD_EXITS:
		syscall(SYS_exit, 0);
		break;
	case LATE:
		poll(NULL, 0, TIMEOUT_MS * raw_slow() * 3 / 2);
		break;
	default:
		break;
	}
}

/* A server that was declared dead may find zeroes in a window. Its answer doesn't count then. */
static int check_payload(const struct ubdx_desc *desc, const uint64_t *words)
{
	unsigned int unit = desc->sector / 8, n = desc->nr_sectors / 8, i, k;

	for (i = 0; i < n; i++, unit++, words += WORDS) {
		unsigned int version = words[0] >> 32;

		for (k = 0; k < WORDS; k++) {
			if (words[k] == word_of(version, unit, k) && version)
				continue;
			if (!words[0] || !words[k])
				return desc->xfer == UBDX_XFER_MAP ? -EIO : -EILSEQ;
			return -EILSEQ;
		}
	}
	return 0;
}

/* Record that this server has seen the WRITE. With recovery `queue` no other may have seen it. */
static void see(const struct reign *r, const struct ubdx_desc *desc, const uint64_t *words)
{
	struct store *store = &stores[r->nr];
	unsigned int unit = desc->sector / 8, i;

	for (i = 0; i < desc->nr_sectors / 8; i++) {
		unsigned int version = words[i * WORDS] >> 32;

		if (atomic_exchange(&store->unit[unit + i].seen, version) == version &&
		    store_recovery[r->nr] == UBDX_RECOVERY_QUEUE)
			broken("unit %u, version %u: two servers have seen this WRITE", unit + i,
			       version);
	}
}

static void check_era(const struct reign *r)
{
	unsigned int started = stores[r->nr].started;

	if (started > r->era)
		broken("server %u of device %u still runs, and server %u has started", r->era,
		       r->nr, started);
}

static int32_t serve(struct raw_queue *q, const struct ubdx_desc *where, char *buf)
{
	struct reign *r = this_reign;
	struct ubdx_desc desc = *where;
	size_t bytes = desc.nr_sectors * 512UL, half = bytes / 2;
	char *data = (char *)stores[r->nr].data + desc.sector * 512;
	bool strikes = atomic_fetch_sub(&r->left, 1) == 1, write = desc.op == UBDX_OP_WRITE;
	const struct mode *mode = &modes[desc.xfer < nr_modes ? desc.xfer : 0];
	int ret;

	if (strikes && r->when == 0)
		meet_fate(q);
	if (desc.op > UBDX_OP_WRITE) {
		if (strikes && r->when)
			meet_fate(q);
		return 0;
	}
	if (desc.sector + desc.nr_sectors > UNITS * 8) {
		broken("a request beyond the end, sector %llu", desc.sector);
		return -EIO;
	}
	if (write) {
		check_era(r);
		if (mode->take && mode->take(q, &desc, buf, bytes))
			return -EIO;
		ret = check_payload(&desc, (uint64_t *)buf);
		if (ret == -EILSEQ)
			broken("a WRITE in mode %s at sector %llu isn't what was written",
			       mode->name, desc.sector);
		if (ret)
			return -EIO;
		see(r, &desc, (uint64_t *)buf);
	}
	memcpy(write ? data : buf, write ? buf : data, half);
	if (strikes && r->when == 1)
		meet_fate(q);
	check_era(r);
	memcpy((write ? data : buf) + half, (write ? buf : data) + half, bytes - half);
	if (!write && mode->give && mode->give(q, &desc, buf, bytes))
		return -EIO;
	if (strikes && r->when == 2)
		meet_fate(q);
	return bytes;
}

static void *queue_main(void *arg)
{
	struct raw_queue *q = arg;
	struct reign *r = this_reign;

	/* the task that makes the ring is the one that serves it */
	if (!raw_queue_init(&r->raw, q, q - r->queues) && !raw_fetch_all(q))
		raw_serve(q, serve);
	if (atomic_fetch_add(&this_reign->told, 1) + 1 == QUEUES)
		_exit(0);
	wait_for_the_end();
}

/* ---- how a server gets the device ---- */

/*
 * Returns whether the lock was taken. This waits for a while if another process holds a conflicting
 * lock.
 */
static bool lock_servers(const struct reign *r, short type)
{
	struct flock lock = {
		.l_type = type, .l_whence = SEEK_SET, .l_start = SERVERS_LOCK + r->nr, .l_len = 1
	};
	double end = raw_now() + 5;

	while (fcntl(store_locks, F_SETLK, &lock)) {
		if (raw_now() > end)
			return false;
		poll(NULL, 0, 2);
	}
	return true;
}

static int add(struct reign *r)
{
	struct ubdx_set set = { .id = r->raw.add.id, .xfer = r->xfer };
	int ret;

	r->raw.add.xfer_modes = (1 << RAW_NR_XFER) - 1;
	r->raw.add.params.dev_sectors = UNITS * 8;
	r->raw.add.params.nr_queues = QUEUES;
	r->raw.add.params.depth = 8;
	r->raw.add.params.max_io_bytes = 4 * UNIT;
	r->raw.add.params.timeout_ms = TIMEOUT_MS * raw_slow();
	r->raw.add.params.recovery = store_recovery[r->nr];
	r->raw.add.params.attrs = r->nr ? 0 : UBDX_ATTR_WRITE_CACHE;
	ret = raw_add(&r->raw);
	fuzz_note(&fuzz_heir, "add", !ret);
	if (!ret)
		ioctl(r->raw.ctl, UBDX_IOC_SET, &set);
	return ret;
}

/*
 * A new device can have the number of an earlier device whose servers still run and write to the
 * same store. So the new device's first server waits until these servers are gone. This server need
 * not be the process that added the device.
 */
static int await_former_servers(const struct reign *r)
{
	if (!lock_servers(r, F_WRLCK))
		return -EDEADLK;
	return lock_servers(r, F_RDLCK) ? 0 : -EDEADLK;
}

static bool is_ours(const struct ubdx_info *info)
{
	return info->params.dev_sectors == UNITS * 8 && info->params.nr_queues == QUEUES;
}

/* Make the device wait for a server. */
static int vacate(struct reign *r)
{
	struct ubdx_info info;
	int ret = raw_info(&r->raw, &info);

	if (!ret && (info.state == UBDX_S_DEAD || !is_ours(&info))) {
		raw_ctl(&r->raw, UBDX_IOC_DEL, UBDX_CTL_FORCE);
		ret = -ENODEV;
	}
	if (ret == -ENODEV)
		return add(r);
	if (ret || info.state != UBDX_S_LIVE)
		return ret;
	if (!r->hand_over)
		return -EBUSY;
	ret = raw_ctl(&r->raw, UBDX_IOC_QUIESCE, 0);
	fuzz_note(&fuzz_heir, "hand-over", !ret);
	return ret == -ENXIO ? 0 : ret;
}

/*
 * Become the device's server. The last server may be about to leave. Returns 0 if the device is
 * new, 1 if it recovers, or -errno.
 */
static int open_channel(struct reign *r)
{
	double end = raw_now() + 0.5;
	struct ubdx_info info;
	char path[32];
	int ret;

	snprintf(path, sizeof(path), "/dev/ubdxc%d", r->raw.add.id);
	while ((r->raw.chan = open(path, O_RDWR | O_CLOEXEC)) < 0) {
		if (raw_now() > end)
			return -errno;
		poll(NULL, 0, 1);
	}
	/* while we have the channel open no other device gets the number */
	ret = raw_info(&r->raw, &info);
	if (!ret && (!is_ours(&info) || info.server_pid != getpid()))
		ret = -EBADFD;
	if (ret)
		return ret;
	r->raw.add.params = info.params;
	r->era = atomic_fetch_add(&stores[r->nr].opened, 1) + 1;
	return info.state == UBDX_S_QUIESCED ? 1 : 0;
}

/* Record a START. The highest number stays, whichever of two servers gets here first. */
static void has_started(struct reign *r)
{
	unsigned int last = stores[r->nr].started;

	while (last < r->era &&
	       !atomic_compare_exchange_weak(&stores[r->nr].started, &last, r->era))
		;
}

static int start(struct reign *r)
{
	struct ubdx_ctl ctl = { .id = r->raw.add.id };
	bool recovers;
	int ret = vacate(r), i;

	if (!ret)
		ret = open_channel(r);
	if (ret < 0)
		return ret;
	recovers = ret;
	if (recovers)
		ctl.xfer_modes = r->offer;
	else if ((ret = await_former_servers(r)))
		return ret;
	for (i = 0; i < QUEUES; i++) {
		pthread_t thread;

		if (pthread_create(&thread, NULL, queue_main, &r->queues[i]))
			return -EAGAIN;
	}
	ret = ioctl(r->raw.ctl, UBDX_IOC_START, &ctl) ? -errno : 0;
	for (i = 0; i < 200 && ret == -EAGAIN; i++) {
		poll(NULL, 0, 2);
		ret = ioctl(r->raw.ctl, UBDX_IOC_START, &ctl) ? -errno : 0;
	}
	if (recovers)
		fuzz_note(&fuzz_heir, "recover", !ret);
	if (!ret)
		has_started(r);
	return ret;
}

static void __attribute__((noreturn)) reign(struct reign *r)
{
	int ret;

	this_reign = r;
	lock_servers(r, F_RDLCK);
	ret = start(r);
	say(ret);
	if (ret)
		_exit(0);
	poll(NULL, 0, r->limit_ms * raw_slow());
	/* too few requests came in time: leave without the fate */
	if (r->left > 0 || r->fate == STAY)
		_exit(0);
	/* the fate has struck: the driver or the supervisor may kill this process, else it exits */
	poll(NULL, 0, 3 * TIMEOUT_MS * raw_slow());
	_exit(0);
}

/* ---- heirs ---- */

static void reap_children(void)
{
	int status;
	pid_t pid;

	while ((pid = waitpid(-1, &status, WNOHANG)) > 0)
		fuzz_judge(pid, status);
}

static void draw_reign(struct actor *a, struct reign *r, enum fate fate)
{
	static const uint64_t offers[] = { 0,
					   0,
					   1 << UBDX_XFER_COPY,
					   1 << UBDX_XFER_USER | 1 << UBDX_XFER_MAP,
					   1 << UBDX_XFER_USER | 1 << UBDX_XFER_SPLICE,
					   (1 << RAW_NR_XFER) - 1 };

	*r = (struct reign){
		.nr = below(a, FUZZ_HONEST),
		.fate = fate,
		.when = below(a, 3),
		.limit_ms = fuzz_rehearses ? 2000 : 100 + below(a, 400),
		.hand_over = chance(a, fuzz_rehearses ? 100 : 60),
		.offer = PICK(a, offers),
		.xfer = below(a, RAW_NR_XFER),
		.left = 1 + below(a, fuzz_rehearses ? 3 : 60),
		.a = a,
	};
	raw_defaults(&r->raw);
	r->raw.add.id = FUZZ_IDS + r->nr;
	r->raw.ctl = open("/dev/" UBDX_CONTROL_NAME, O_RDWR | O_CLOEXEC);
}

/* Start a server in a child. Returns where the child reports. */
static int fork_reign(struct reign *r)
{
	int report[2];

	if (pipe2(report, O_CLOEXEC))
		return -1;
	r->report = report[1];
	if (!fork())
		reign(r);
	close(report[1]);
	return report[0];
}

/* Returns the server's next report, -EPIPE if the server is gone, or -ETIME. */
static int listen_to(int report, unsigned int ms)
{
	struct pollfd pfd = { .fd = report, .events = POLLIN };
	int what;

	if (poll(&pfd, 1, ms * raw_slow()) <= 0)
		return -ETIME;
	return read(report, &what, sizeof(what)) == sizeof(what) ? what : -EPIPE;
}

/*
 * Run one server until it has met its fate, or until too few requests have come in time. The next
 * server may start before this one is gone.
 */
static void act_reign(struct actor *a)
{
	struct reign r;
	int report, ret, fate = 0;

	reap_children();
	draw_reign(a, &r, a->action);
	args(a, "device %u when %u left %u%s", r.nr, r.when, r.left,
	     r.hand_over ? " hand over" : "");
	report = fork_reign(&r);
	if (report < 0)
		goto out;
	ret = listen_to(report, 3000);
	args(a, ": %d", ret);
	if (!ret)
		fate = listen_to(report, r.limit_ms + 100);
	args(a, ", %d", fate);
	if (fate == 1)
		worked(a);
	if (!fuzz_rehearses && chance(a, 50)) /* wait for the server's end */
		listen_to(report, 4000);
	close(report);
out:
	close(r.raw.ctl);
}

/* Two servers at once for a device that waits. */
static void act_rivals(struct actor *a)
{
	struct reign r[2];
	int report[2], ret[2], i;

	reap_children();
	draw_reign(a, &r[0], below(a, NR_FATES));
	draw_reign(a, &r[1], below(a, NR_FATES));
	r[1].nr = r[0].nr;
	r[1].raw.add.id = r[0].raw.add.id;
	raw_ctl(&r[0].raw, UBDX_IOC_QUIESCE, 0);
	r[0].hand_over = r[1].hand_over = false;
	for (i = 0; i < 2; i++)
		report[i] = fork_reign(&r[i]);
	for (i = 0; i < 2; i++) {
		ret[i] = listen_to(report[i], 3000);
		args(a, "%d ", ret[i]);
		if (!ret[i])
			worked(a);
	}
	for (i = 0; i < 2; i++) {
		close(report[i]);
		close(r[i].raw.ctl);
	}
}

static int some_device(struct actor *a)
{
	return FUZZ_IDS + below(a, FUZZ_HONEST);
}

static int open_control(void)
{
	return open("/dev/" UBDX_CONTROL_NAME, O_RDWR | O_CLOEXEC);
}

/* Take the device from its server, under load, and leave it without a server for a moment. */
static void act_quiesce(struct actor *a)
{
	struct ubdx_ctl ctl = {};
	int report, ret, started;
	struct reign r;

	/* a device without a server gets one */
	draw_reign(a, &r, STAY);
	r.hand_over = false;
	report = fork_reign(&r);
	started = listen_to(report, 3000);
	ctl.id = r.raw.add.id;
	ret = ioctl(r.raw.ctl, UBDX_IOC_QUIESCE, &ctl) ? -errno : 0;
	args(a, "id %d: %d, %d", ctl.id, started, ret);
	if (!ret)
		worked(a);
	close(report);
	close(r.raw.ctl);
}

/* Several calls for a device, all at once. */
static void act_race(struct actor *a)
{
	static const unsigned long cmds[] = { UBDX_IOC_QUIESCE, UBDX_IOC_QUIESCE, UBDX_IOC_STOP,
					      UBDX_IOC_DEL, UBDX_IOC_START };
	struct ubdx_ctl ctl = { .id = some_device(a) };
	int fd = open_control(), n = 2 + below(a, 3), status, i;
	pid_t callers[4];

	reap_children();
	for (i = 0; i < n; i++) {
		unsigned long cmd = PICK(a, cmds);
		struct ubdx_set set = { .id = ctl.id, .xfer = below(a, RAW_NR_XFER) };
		bool sets = chance(a, 20);

		args(a, "%lx ", sets ? UBDX_IOC_SET : cmd);
		callers[i] = fork();
		if (callers[i])
			continue;
		if (!(sets ? ioctl(fd, UBDX_IOC_SET, &set) : ioctl(fd, cmd, &ctl)))
			worked(a);
		_exit(0);
	}
	for (i = 0; i < n; i++)
		if (callers[i] > 0 && waitpid(callers[i], &status, 0) == callers[i])
			fuzz_judge(callers[i], status);
	close(fd);
}

/*
 * Stop or delete a device by force, in any state. The next server adds the device again, with the
 * content in the store.
 */
static void act_end(struct actor *a)
{
	struct ubdx_ctl ctl = { .id = some_device(a), .flags = UBDX_CTL_FORCE };
	unsigned long cmd = chance(a, 50) ? UBDX_IOC_STOP : UBDX_IOC_DEL;
	int fd = open_control(), ret = ioctl(fd, cmd, &ctl) ? -errno : 0;

	args(a, "id %d %lx: %d", ctl.id, cmd, ret);
	if (!ret)
		worked(a);
	close(fd);
}

static const struct action heir_actions[] = {
	[STAY] = { "stay", 8, act_reign, 35 },
	[KILLED] = { "killed", 8, act_reign, 25 },
	[EXITS] = { "exits", 4, act_reign, 20 },
	[CLOSES_RING] = { "closes-ring", 4, act_reign, 20 },
	[CLOSES_CHANNEL] = { "closes-channel", 2, act_reign, 20 },
	[THREAD_EXITS] = { "thread-exits", 2, act_reign, 20 },
	[LATE] = { "late", 6, act_reign, 20 },
	[ORPHANS] = { "orphans", 2, act_reign, 20 },
	{ "rivals", 6, act_rivals, 75 },
	{ "quiesce", 6, act_quiesce, 55 },
	{ "race", 4, act_race, 50 },
	{ "end", 1, act_end, 100 },
	{ "add", 0, NULL, 90 },
	{ "recover", 0, NULL, 100 },
	{ "hand-over", 0, NULL, 55 },
	{},
};

const struct role fuzz_heir = { .name = "heir", .weight = 1, .actions = heir_actions };
