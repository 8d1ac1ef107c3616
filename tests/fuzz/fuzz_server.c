// SPDX-License-Identifier: GPL-2.0
/*
 * fuzz_server.c - the fuzzer's servers, and how they come and go. Each has up to two devices, on
 * which it does what a server does, in any order, and all that one must not do. What it puts on its
 * rings is in fuzz_command.c and fuzz_file.c, what it does to its memory in fuzz_memory.c.
 *
 * A queue may be served by a thread of its own (queue_thread()); then nobody else touches its
 * struct queue.
 */
#define _GNU_SOURCE
#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <poll.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/mman.h>
#include <sys/socket.h>
#include <unistd.h>

#include "fuzz_server.h"

struct server fuzz_servers[2];
static unsigned int nr_children;

/* ---- becoming a server ---- */

static void queue_start(struct queue *q, struct rng *rng)
{
	unsigned int bad = rng_below(rng, 3) ? 0 : rng_below(rng, 50), tag;

	fuzz_ring_start(q, rng);
	fuzz_map_desc(q);
	fuzz_attach(q, q->qid);
	for (tag = 0; tag < q->depth; tag++)
		fuzz_fetch(q, q->qid, tag, fuzz_buffer(q, tag, bad, rng));
	fuzz_reap(q, 0);
}

static void queue_end(struct queue *q)
{
	fuzz_ring_end(q);
	fuzz_unmap_desc(q);
}

/*
 * A queue's thread: good for a while, and then it leaves, or closes the ring, or does nothing more.
 */
static void *queue_thread(void *arg)
{
	struct queue *q = arg;
	unsigned int what = rng_below(&q->rng, 6), limit = 1 + rng_below(&q->rng, 2000);

	queue_start(q, &q->rng);
	while (!q->s->leave && (limit || what > 2)) {
		unsigned int served;

		fuzz_reap(q, 5);
		served = fuzz_serve(q);
		limit -= served < limit ? served : limit;
	}
	if (what == 1)
		return NULL; /* with the ring open */
	if (what == 2)
		queue_end(q);
	while (!q->s->leave)
		poll(NULL, 0, 5);
	return NULL; /* its owner ends the queue */
}

static int control(struct server *s, unsigned long cmd, unsigned int flags)
{
	struct ubdx_ctl ctl = { .id = s->add.id, .flags = flags };

	return ioctl(s->ctl, cmd, &ctl) ? -errno : 0;
}

static void server_end(struct server *s, struct rng *rng)
{
	unsigned int i;

	if (s->chan < 0)
		return;
	s->leave = true;
	if (rng_below(rng, 4))
		control(s, UBDX_IOC_DEL, UBDX_CTL_FORCE);
	for (i = 0; i < s->nr_queues; i++) {
		if (s->q[i].threaded)
			pthread_join(s->q[i].thread, NULL);
		queue_end(&s->q[i]);
	}
	close(s->chan);
	s->chan = -1;
}

static void add_random(struct ubdx_add *add, struct rng *rng, bool trusted)
{
	static const unsigned int depths[] = { 1, 2, 4, 8, 16, 16, 32, 64, 128 };
	static const unsigned int sizes[] = { 4096, 65536, 262144, 262144, 1048576 };
	static const unsigned int blocks[] = { 512, 512, 512, 1024, 2048, 4096 };

	*add = (struct ubdx_add){
		.version = UBDX_VERSION,
		.id = rng_below(rng, FUZZ_IDS + 1) - 1,
		.xfer_modes = trusted ? (1 << FUZZ_NR_XFER) - 1 : 1 << UBDX_XFER_COPY,
		.params = {
			.dev_sectors = 8 << rng_below(rng, 14),
			.nr_queues = 1 + rng_below(rng, MAX_QUEUES),
			.depth = depths[rng_below(rng, ARRAY_SIZE(depths))],
			.max_io_bytes = sizes[rng_below(rng, ARRAY_SIZE(sizes))],
			/* short, or clients do little but wait */
			.timeout_ms = 1000 + rng_below(rng, 3) * 500,
			.logical_block_size = blocks[rng_below(rng, ARRAY_SIZE(blocks))],
			.max_discard_sectors = rng_below(rng, 2) * 1024,
			.max_write_zeroes_sectors = rng_below(rng, 2) * 1024,
			.max_segments = rng_below(rng, 2) * (1 + rng_below(rng, 200)),
			.attrs = rng_below(rng, 4) ? 0 : rng_below(rng, UBDX_ATTR_ALL + 1),
			.numa_node = -1,
			.recovery = rng_below(rng, 2) * rng_below(rng, UBDX_RECOVERY_REISSUE + 1),
		},
	};
	/* as random, but without another number: the steps in regress/ stay what they were */
	if ((add->params.timeout_ms / 500 + add->params.nr_queues) % 2)
		add->features = UBDX_F_EXTENTS;
}

/* Returns the channel, or -errno. */
static int open_channel(const struct server *s)
{
	unsigned int tries;
	char path[32];
	int fd;

	snprintf(path, sizeof(path), "/dev/ubdxc%d", s->add.id);
	for (tries = 0; tries < 20; tries++) {
		fd = open(path, O_RDWR | O_CLOEXEC);
		if (fd >= 0 || errno != ENOENT)
			break;
		poll(NULL, 0, 1); /* devtmpfs makes the node a moment later */
	}
	return fd < 0 ? -errno : fd;
}

/* Delete a device with a random number, but no honest one. */
static void delete_some(const struct server *s, struct rng *rng)
{
	unsigned int id = rng_below(rng, FUZZ_MAX_DEVICES - FUZZ_HONEST);
	struct ubdx_ctl ctl = { .id = id < FUZZ_IDS ? id : id + FUZZ_HONEST,
				.flags = UBDX_CTL_FORCE };

	ioctl(s->ctl, UBDX_IOC_DEL, &ctl);
}

/*
 * Add a device. If the number is taken, delete the device that has it; if there are too many
 * devices, delete some other. Otherwise devices without a server would take all numbers. Returns
 * the channel, or -errno.
 */
static int add_and_open(struct server *s, struct rng *rng)
{
	unsigned int tries;

	for (tries = 0; ioctl(s->ctl, UBDX_IOC_ADD, &s->add); tries++) {
		if (tries == 5 || (errno != EEXIST && errno != ENOSPC))
			return -errno;
		if (errno == ENOSPC)
			delete_some(s, rng);
		else
			control(s, UBDX_IOC_DEL, UBDX_CTL_FORCE);
	}
	return open_channel(s);
}

/* Set up the queues of the device whose channel is open, and START it, offering @xfer_modes. */
static int start(struct actor *a, struct server *s, uint64_t xfer_modes)
{
	struct ubdx_ctl ctl = { .id = s->add.id, .xfer_modes = xfer_modes };
	unsigned int i, tries;
	int ret = -EAGAIN;

	s->leave = s->gone = s->has_file = false;
	s->nr_queues = s->add.params.nr_queues;
	for (i = 0; i < s->nr_queues; i++) {
		struct queue *q = &s->q[i];

		*q = (struct queue){ .s = s,
				     .qid = i,
				     .depth = s->add.params.depth,
				     .threaded = chance(a, fuzz_rehearses ? 10 : 60) };
		q->rng.state = rng_next(&a->rng);
		if (!q->threaded || pthread_create(&q->thread, NULL, queue_thread, q)) {
			q->threaded = false;
			queue_start(q, &a->rng);
		}
	}
	for (tries = 0; tries < 20 && ret == -EAGAIN; tries++) {
		ret = ioctl(s->ctl, UBDX_IOC_START, &ctl) ? -errno : 0;
		if (ret == -EAGAIN)
			poll(NULL, 0, 2);
	}
	args(a, ", %d; ", ret);
	return ret;
}

/* Everything from ADD to START. Each step can fail, because other actors use the same numbers. */
static int setup(struct actor *a, struct server *s)
{
	struct ubdx_set set = { .xfer = below(a, FUZZ_NR_XFER) };

	if (fuzz_rehearses && chance(a, 50))
		set.xfer = UBDX_XFER_SPLICE; /* the mode with the most actions to rehearse */
	server_end(s, &a->rng);
	add_random(&s->add, &a->rng, fuzz_trusts(a));
	args(a, "id %d queues %u depth %u", s->add.id, s->add.params.nr_queues,
	     s->add.params.depth);
	s->chan = add_and_open(s, &a->rng);
	args(a, ": %d", s->chan);
	if (s->chan < 0)
		return s->chan;
	set.id = s->add.id;
	ioctl(s->ctl, UBDX_IOC_SET, &set);
	return start(a, s, 0);
}

static void act_setup(struct actor *a)
{
	if (!setup(a, &PICK(a, fuzz_servers)))
		worked(a);
}

/* Find a device that waits for a server, from number @from on. Returns whether there is one. */
static bool find_waiting(struct server *s, int from)
{
	struct ubdx_info info = { .id = from, .flags = UBDX_INFO_NEXT };

	while (!ioctl(s->ctl, UBDX_IOC_INFO, &info) && info.id < FUZZ_IDS) {
		if (info.state == UBDX_S_QUIESCED) {
			s->add = (struct ubdx_add){ .id = info.id,
						    .xfer_modes = info.xfer_modes,
						    .params = info.params };
			return true;
		}
		info = (struct ubdx_info){ .id = info.id + 1, .flags = UBDX_INFO_NEXT };
	}
	return false;
}

/* Become the next server of a device that waits for one, and offer any modes. */
static void act_succeed(struct actor *a)
{
	static const uint64_t offers[] = { 0, 0, 1 << UBDX_XFER_COPY, 1 << UBDX_XFER_USER,
					   1 << UBDX_XFER_MAP };
	struct server *s = &PICK(a, fuzz_servers);
	uint64_t offer = fuzz_trusts(a) ? PICK(a, offers) : 0;
	int from = below(a, FUZZ_IDS);

	server_end(s, &a->rng);
	if (!find_waiting(s, from) && !find_waiting(s, 0))
		return;
	args(a, "id %d queues %u depth %u", s->add.id, s->add.params.nr_queues,
	     s->add.params.depth);
	s->chan = s->add.params.nr_queues <= MAX_QUEUES ? open_channel(s) : -1;
	args(a, ": %d", s->chan);
	if (s->chan >= 0 && !start(a, s, offer))
		worked(a);
}

struct server *fuzz_other_server(struct server *s)
{
	return s == &fuzz_servers[0] ? &fuzz_servers[1] : &fuzz_servers[0];
}

/*
 * A queue that this thread serves, or NULL. Before it returns NULL, this may set up a device, so
 * that the next step finds a queue.
 */
struct queue *fuzz_some_queue(struct actor *a)
{
	struct server *s = &PICK(a, fuzz_servers);
	unsigned int i = below(a, MAX_QUEUES), n;

	/* keep a device that is gone for a few steps only */
	if (s->gone && chance(a, 10))
		server_end(s, &a->rng);
	for (n = 0; n < 2 * MAX_QUEUES; n++) {
		struct queue *q = &s->q[i];

		if (s->chan >= 0 && i < s->nr_queues && !q->threaded)
			return q;
		i = (i + 1) % MAX_QUEUES;
		if (n == MAX_QUEUES - 1)
			s = fuzz_other_server(s);
	}
	if (s->chan < 0)
		setup(a, s);
	return NULL;
}

/* ---- coming and going ---- */

static void act_ring(struct actor *a)
{
	struct queue *q = fuzz_some_queue(a);

	if (!q)
		return;
	if (q->has_ring)
		worked(a);
	fuzz_ring_end(q);
	if (chance(a, 50))
		fuzz_ring_start(q, &a->rng);
}

static void act_leave(struct actor *a)
{
	struct server *s = &PICK(a, fuzz_servers);

	if (s->chan >= 0)
		worked(a);
	server_end(s, &a->rng);
}

static void act_control(struct actor *a)
{
	static const unsigned long cmds[] = { UBDX_IOC_START, UBDX_IOC_STOP, UBDX_IOC_DEL,
					      UBDX_IOC_QUIESCE };
	struct server *s = &PICK(a, fuzz_servers);
	unsigned long cmd = PICK(a, cmds);
	bool on_channel = chance(a, 40);
	struct ubdx_ctl ctl = {};
	int ret;

	if (s->chan < 0)
		return;
	/* known and unknown flags */
	ctl.id = s->add.id;
	ctl.flags = below(a, chance(a, 70) ? 2 : 16);
	ret = ioctl(on_channel ? s->chan : s->ctl, cmd, &ctl) ? -errno : 0;
	args(a, "%lx flags %x%s: %d", cmd, ctl.flags, on_channel ? " channel" : "", ret);
	if (!ret)
		worked(a);
}

/*
 * Stop the server's own device in an orderly way. UBDX_CTL_IN_USE gets a time limit, because this
 * thread may be the one that must serve the device.
 */
static void stop_own(struct actor *a, unsigned long cmd, unsigned int flags)
{
	struct server *s = &PICK(a, fuzz_servers);
	struct ubdx_ctl ctl = { .flags = flags };
	int ret;

	/* devices are to live for a while */
	if (!fuzz_rehearses && chance(a, 75))
		return;
	if (s->chan < 0 && setup(a, s))
		return;
	ctl.id = s->add.id;
	if (flags == UBDX_CTL_IN_USE)
		ctl.timeout_ms = 1 + below(a, 300);
	ret = ioctl(s->chan, cmd, &ctl) ? -errno : 0;
	args(a, "%lx flags %x: %d", cmd, flags, ret);
	if (!ret || ret == -EINPROGRESS)
		worked(a);
}

static void act_in_use(struct actor *a)
{
	stop_own(a, chance(a, 50) ? UBDX_IOC_STOP : UBDX_IOC_DEL, UBDX_CTL_IN_USE);
}

static void act_last_close(struct actor *a)
{
	stop_own(a, UBDX_IOC_DEL, UBDX_CTL_LAST_CLOSE);
}

/* Send a descriptor of the channel into a socket, where it now and then stays for good. */
static void act_pass(struct actor *a)
{
	struct server *s = &PICK(a, fuzz_servers);
	char data = 0, space[CMSG_SPACE(sizeof(int))] = {};
	struct iovec iov = { &data, 1 };
	struct msghdr msg = { .msg_iov = &iov,
			      .msg_iovlen = 1,
			      .msg_control = space,
			      .msg_controllen = sizeof(space) };
	struct cmsghdr *cmsg = CMSG_FIRSTHDR(&msg);
	int pair[2];

	if (s->chan < 0 || socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0, pair))
		return;
	cmsg->cmsg_level = SOL_SOCKET;
	cmsg->cmsg_type = SCM_RIGHTS;
	cmsg->cmsg_len = CMSG_LEN(sizeof(int));
	memcpy(CMSG_DATA(cmsg), &s->chan, sizeof(int));
	if (sendmsg(pair[0], &msg, 0) == 1)
		worked(a);
	close(pair[0]);
	if (chance(a, 90))
		close(pair[1]);
}

/*
 * Fork a child, which has everything open but doesn't inherit the descriptors' mapping. The child
 * stays, or sends commands and stays, or exits at once.
 */
static void act_fork(struct actor *a)
{
	struct queue *q = fuzz_some_queue(a);
	unsigned int what = below(a, 3);
	struct ubdx_commit right;
	pid_t pid;

	args(a, "%u", what);
	if (!q)
		return;
	right = fuzz_right(q, below(a, q->depth));
	if (nr_children > 3)
		return;
	pid = fork();
	if (pid) {
		nr_children++;
		if (pid > 0)
			worked(a);
		return;
	}
	if (what == 1) {
		fuzz_attach(q, q->qid);
		fuzz_commit(q, right);
		fuzz_reap(q, 1);
	}
	if (what == 2)
		_exit(0);
	for (;;)
		pause();
}

/* Execute another program, which keeps this program's descriptors or doesn't. */
static void act_exec(struct actor *a)
{
	struct queue *q = fuzz_some_queue(a);
	bool keep = chance(a, 50);

	args(a, "%s", keep ? "with the descriptors" : "without");
	if (!q || chance(a, 50))
		return;
	if (keep) {
		fcntl(q->s->chan, F_SETFD, 0);
		if (q->has_ring)
			fcntl(q->ring.ring_fd, F_SETFD, 0);
	}
	worked(a);
	execl("/proc/self/exe", "fuzz", "--idle", NULL);
}

static void init(struct actor *a)
{
	unsigned int i;

	for (i = 0; i < ARRAY_SIZE(fuzz_servers); i++) {
		fuzz_servers[i].chan = -1;
		fuzz_servers[i].ctl = open("/dev/" UBDX_CONTROL_NAME, O_RDWR | O_CLOEXEC);
	}
	fuzz_memory_init();
}

static const struct action actions[] = {
	{ "setup", 2, act_setup, 70 },
	{ "succeed", 2, act_succeed, 9 },
	{ "serve", 60, act_serve, 10 },
	{ "commit", 40, act_commit, 10 },
	{ "more", 3, act_more, 10 },
	{ "attach", 2, act_attach, 50 },
	{ "fetch", 4, act_fetch, 45 },
	{ "sqe", 8, act_sqe, 50 },
	{ "opcode", 5, act_opcode, 45 },
	{ "cancel", 2, act_cancel, 50 },
	{ "stranger", 5, act_stranger, 60 },
	{ "foreign", 4, act_foreign, 15 },
	{ "ring", 2, act_ring, 55 },
	{ "leave", 1, act_leave, 70 },
	{ "control", 1, act_control, 25 },
	{ "in-use", 1, act_in_use, 10 },
	{ "last-close", 1, act_last_close, 10 },
	{ "pass", 2, act_pass, 75 },
	{ "fork", 2, act_fork, 55 },
	{ "exec", 1, act_exec, 30 },
	{ "desc", 10, act_desc, 55 },
	{ "memory", 6, act_memory, 85 },
	{ "access", 12, act_access, 1 },
	{ "splice", 12, act_splice, 1 },
	{ "window", 8, act_window, 60 },
	{ "file", 3, act_file, 50 },
	{ "forward", 15, act_forward, 2 },
	{ "extents", 6, act_extents, 2 },
	{ "revoke", 3, act_revoke, 2 },
	{},
};

const struct role fuzz_server = { .name = "server", .weight = 5, .init = init, .actions = actions };
