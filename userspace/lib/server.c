// SPDX-License-Identifier: MIT OR LGPL-2.1
/*
 * server.c - a device's life on the server's side: add or recover the device, start a thread for
 * each queue, make the device live, and tidy up when it is gone.
 *
 * The caller's thread does the control part; each queue belongs to its own thread (see queue.h).
 * These threads meet under server->lock: a queue's thread reports that its queue is set up, and
 * later that the thread has left.
 */
#include <errno.h>
#include <fcntl.h>
#include <numa.h>
#include <pthread.h>
#include <sched.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/eventfd.h>
#include <sys/stat.h>
#include <sys/sysmacros.h>
#include <syslog.h>
#include <time.h>
#include <unistd.h>

#include "memory.h"
#include "queue.h"

/*
 * How long to wait for a node in /dev, and for udev to set its group. Without udevd an EACCES is
 * probably final, so fewer tries are made (UBDX_DENIED_TRIES).
 */
#define UBDX_NODE_TRIES 500
#define UBDX_DENIED_TRIES 100
#define UBDX_NODE_WAIT_NS 10000000

struct ubdx_server;

/*
 * The thread of one queue. @ret is the result of the set-up, later that of the service. @error is
 * the message if the set-up failed. The thread writes them. The starter reads them when the thread
 * is ready, or has been joined.
 */
struct ubdx_worker {
	struct ubdx_server *server;
	struct ubdx_queue_config config;
	pthread_t thread;
	int ret;
	char error[256];
};

/* What a thread does when its queue is set up. */
enum ubdx_verdict {
	UBDX_WAIT, /* other threads are not ready yet, or START has not returned */
	UBDX_SERVE,
	UBDX_LEAVE, /* exit: the device could not be started */
};

/*
 * @lock protects @nr_ready, @verdict and @nr_running. @changed is broadcast when @nr_ready or
 * @verdict changes. The last thread that leaves signals the eventfd @gone.
 */
struct ubdx_server {
	struct ubdx_target *target;
	struct ubdx_server_opts opts;
	struct ubdx_logger logger;
	struct ubdx_params params;
	uint64_t xfer_modes; /* modes that requests can have */
	bool may_forward; /* all files of the target are registered (UBDX_IOC_SET_FILE) */
	struct ubdx_target_info target_info;
	int id;
	int ctl;
	int channel;
	int gone;
	bool added; /* by this server, which deletes the device if the start then fails */
	bool live;
	pthread_mutex_t lock;
	pthread_cond_t changed;
	enum ubdx_verdict verdict;
	unsigned int nr_ready;
	unsigned int nr_running;
	unsigned int nr_started;
	struct ubdx_worker *workers;
};

/* ---- queue threads ---- */

static int ubdx_worker_place(struct ubdx_worker *w)
{
	const struct ubdx_server_opts *opts = &w->server->opts;
	int node = w->server->params.numa_node;

	if (opts->nr_cpus) {
		unsigned int cpu = opts->cpus[w->config.id % opts->nr_cpus];
		size_t size = CPU_ALLOC_SIZE(cpu + 1);
		cpu_set_t *cpus = CPU_ALLOC(cpu + 1);
		int ret;

		if (!cpus)
			return ubdx_fail(-ENOMEM, "queue %u: %m", w->config.id);
		CPU_ZERO_S(size, cpus);
		CPU_SET_S(cpu, size, cpus);
		ret = sched_setaffinity(0, size, cpus);
		CPU_FREE(cpus);
		if (ret)
			return ubdx_fail(-errno, "queue %u: moving to CPU %u: %m", w->config.id,
					 cpu);
	} else if (node >= 0 && numa_run_on_node(node)) {
		return ubdx_fail(-errno, "queue %u: moving to NUMA node %d: %m", w->config.id,
				 node);
	}

	if (node >= 0) {
		struct bitmask *nodes = numa_allocate_nodemask();

		numa_bitmask_setbit(nodes, node);
		numa_set_membind(nodes);
		numa_bitmask_free(nodes);
	}
	return 0;
}

/* The queue is set up, or can't be: wait for the verdict. Returns true if it is to be served. */
static bool ubdx_worker_ready(struct ubdx_server *s)
{
	bool serve;

	pthread_mutex_lock(&s->lock);
	s->nr_ready++;
	pthread_cond_broadcast(&s->changed);
	while (s->verdict == UBDX_WAIT)
		pthread_cond_wait(&s->changed, &s->lock);
	serve = s->verdict == UBDX_SERVE;
	pthread_mutex_unlock(&s->lock);
	return serve;
}

static void ubdx_worker_left(struct ubdx_server *s)
{
	const uint64_t one = 1;
	bool last;

	pthread_mutex_lock(&s->lock);
	last = !--s->nr_running;
	pthread_mutex_unlock(&s->lock);
	if (last && write(s->gone, &one, sizeof(one)) < 0)
		ubdx_log(&s->logger, LOG_ERR, "ubdxb%d: eventfd: %s", s->id, strerror(errno));
}

static void *ubdx_worker_main(void *arg)
{
	struct ubdx_worker *w = arg;
	struct ubdx_server *s = w->server;
	struct ubdx_queue q = { .ring.ring_fd = -1 };
	char name[16];

	snprintf(name, sizeof(name), "ubdx%d/%u", s->id, w->config.id);
	pthread_setname_np(pthread_self(), name);

	w->ret = ubdx_worker_place(w);
	if (!w->ret)
		w->ret = ubdx_queue_init(&q, &w->config);
	if (w->ret)
		snprintf(w->error, sizeof(w->error), "%s", ubdx_errmsg());
	if (ubdx_worker_ready(s) && !w->ret)
		w->ret = ubdx_queue_serve(&q);
	ubdx_queue_exit(&q);
	ubdx_worker_left(s);
	return NULL;
}

static int ubdx_worker_start(struct ubdx_server *s, uint16_t id, size_t prefault)
{
	struct ubdx_worker *w = &s->workers[id];
	sigset_t all, old;
	int ret;

	*w = (struct ubdx_worker) {
		.server	= s,
		.config	= {
			.id		= id,
			.depth		= s->params.depth,
			.max_io_bytes	= s->params.max_io_bytes,
			.xfer_modes	= s->xfer_modes,
			.may_forward	= s->may_forward,
			.prefault	= prefault,
			.cpus		= s->opts.cpus,
			.nr_cpus	= s->opts.nr_cpus,
			.target		= s->target,
			.channel	= s->channel,
			.logger		= &s->logger,
		},
	};
	/* Signals go to the caller's threads. */
	sigfillset(&all);
	pthread_sigmask(SIG_SETMASK, &all, &old);
	s->nr_running++;
	ret = -pthread_create(&w->thread, NULL, ubdx_worker_main, w);
	pthread_sigmask(SIG_SETMASK, &old, NULL);
	if (ret) {
		s->nr_running--;
		return ubdx_fail(ret, "queue %u: starting its thread: %m", id);
	}
	s->nr_started++;
	return 0;
}

static size_t ubdx_prefault(const struct ubdx_server *s)
{
	size_t page = sysconf(_SC_PAGESIZE);
	size_t bytes = s->opts.prefault;

	if (bytes > s->params.max_io_bytes)
		bytes = s->params.max_io_bytes;
	return bytes / page * page;
}

static int ubdx_workers_start(struct ubdx_server *s)
{
	unsigned int i, nr = s->params.nr_queues;
	int ret = 0;

	s->workers = calloc(nr, sizeof(*s->workers));
	if (!s->workers)
		return ubdx_fail(-ENOMEM, "starting %u queues: %m", nr);

	pthread_mutex_lock(&s->lock);
	for (i = 0; i < nr && !ret; i++)
		ret = ubdx_worker_start(s, i, ubdx_prefault(s));
	while (s->nr_ready < s->nr_started)
		pthread_cond_wait(&s->changed, &s->lock);
	pthread_mutex_unlock(&s->lock);

	for (i = 0; i < s->nr_started && !ret; i++)
		if (s->workers[i].ret)
			ret = ubdx_fail(s->workers[i].ret, "%s", s->workers[i].error);
	return ret;
}

static void ubdx_workers_tell(struct ubdx_server *s, enum ubdx_verdict verdict)
{
	pthread_mutex_lock(&s->lock);
	if (s->verdict == UBDX_WAIT)
		s->verdict = verdict;
	pthread_cond_broadcast(&s->changed);
	pthread_mutex_unlock(&s->lock);
}

/* Wait for the threads that were started. Returns the first error. */
static int ubdx_workers_join(struct ubdx_server *s)
{
	unsigned int i;
	int ret = 0;

	for (i = 0; i < s->nr_started; i++) {
		pthread_join(s->workers[i].thread, NULL);
		if (!ret)
			ret = s->workers[i].ret;
	}
	free(s->workers);
	return ret;
}

/* ---- start ---- */

static int ubdx_server_opts_fill(struct ubdx_server_opts *full, const struct ubdx_server_opts *opts)
{
	ubdx_server_opts_init(full);
	if (!ubdx_copy_known(full, sizeof(*full), opts, opts->size))
		return ubdx_fail(-E2BIG,
				 "the program has options for a server that this version of "
				 "the library doesn't know");
	return 0;
}

/* The driver answers each of these with EINVAL. The messages here say what is wrong. */
static int ubdx_check_params(const struct ubdx_params *p, const struct ubdx_features *f)
{
	uint32_t block = p->logical_block_size ?: 512; /* the driver's default */

	if (p->nr_queues > f->max_queues)
		return ubdx_fail(-EINVAL, "%u queues: this machine has %u CPUs", p->nr_queues,
				 f->max_queues);
	if (p->depth > f->max_depth)
		return ubdx_fail(-EINVAL, "a depth of %u is more than the driver allows (%u)",
				 p->depth, f->max_depth);
	if (p->max_io_bytes > f->max_io_bytes)
		return ubdx_fail(-EINVAL,
				 "requests of %u bytes are longer than the driver allows (%u)",
				 p->max_io_bytes, f->max_io_bytes);
	if (p->logical_block_size && p->physical_block_size &&
	    p->physical_block_size < p->logical_block_size)
		return ubdx_fail(
			-EINVAL,
			"a physical block of %u bytes is smaller than the logical one (%u)",
			p->physical_block_size, p->logical_block_size);
	if (p->io_opt % block)
		return ubdx_fail(
			-EINVAL,
			"optimal I/O size %u is not a multiple of the logical block size (%u)",
			p->io_opt, block);
	if (p->numa_node >= 0 && (numa_available() < 0 || p->numa_node > numa_max_node() ||
				  !numa_bitmask_isbitset(numa_all_nodes_ptr, p->numa_node)))
		return ubdx_fail(-EINVAL, "this machine has no NUMA node %d", p->numa_node);
	return 0;
}

/* sched_getaffinity() needs a set that has room for every possible CPU. */
#define UBDX_MAX_CPUS (1U << 20)

static cpu_set_t *ubdx_allowed_cpus(size_t *size)
{
	unsigned int nr;

	for (nr = CPU_SETSIZE; nr <= UBDX_MAX_CPUS; nr *= 2) {
		cpu_set_t *cpus = CPU_ALLOC(nr);

		*size = CPU_ALLOC_SIZE(nr);
		if (!cpus || !sched_getaffinity(0, *size, cpus))
			return cpus;
		CPU_FREE(cpus);
		if (errno != EINVAL)
			break;
	}
	return NULL;
}

static int ubdx_check_cpus(const struct ubdx_server_opts *opts)
{
	cpu_set_t *allowed;
	size_t i, size;
	int ret = 0;

	if (!opts->nr_cpus)
		return 0;
	allowed = ubdx_allowed_cpus(&size);
	if (!allowed)
		return ubdx_fail(-errno, "asking for the CPUs that may be used: %m");
	for (i = 0; i < opts->nr_cpus && !ret; i++)
		if (!CPU_ISSET_S(opts->cpus[i], size, allowed))
			ret = ubdx_fail(-EINVAL, "there is no CPU %u that this process may use",
					opts->cpus[i]);
	CPU_FREE(allowed);
	return ret;
}

/* The modes to offer. @opts may name modes of a newer driver that this library can't serve. */
static uint64_t ubdx_offer(const struct ubdx_server_opts *opts)
{
	uint64_t modes = ubdx_xfer_modes();

	return opts->xfer_modes ? opts->xfer_modes & modes : modes;
}

static int ubdx_check_xfer(const struct ubdx_server_opts *opts,
			   const struct ubdx_features *features)
{
	const uint64_t whole = 1ULL << UBDX_XFER_COPY | 1ULL << UBDX_XFER_USER;

	if (opts->xfer >= 0 && !(features->xfer_modes & 1ULL << opts->xfer))
		return ubdx_fail(-EOPNOTSUPP, "the driver has no transfer mode %s on this kernel",
				 ubdx_xfer_name(opts->xfer));
	if (!(ubdx_offer(opts) & features->xfer_modes & whole))
		return ubdx_fail(
			-EINVAL,
			"the modes offered must include copy or user, which serve every request");
	return 0;
}

/* Describe the target for the driver. A long path is cut off. */
static void ubdx_target_info_fill(struct ubdx_target_info *target_info,
				  const struct ubdx_target *target)
{
	*target_info = (struct ubdx_target_info){
		.token = { target->token[0], target->token[1] },
	};
	snprintf(target_info->target, sizeof(target_info->target), "%s", target->kind);
	snprintf(target_info->text, sizeof(target_info->text), "%s", target->where);
}

static int ubdx_check_serial(const struct ubdx_server_opts *opts)
{
	const size_t max = sizeof(((struct ubdx_target_info *)NULL)->serial) - 1;
	const char *c;

	for (c = opts->serial; c && *c; c++)
		if (*c <= ' ' || *c > '~' || *c == '/' || *c == '\\')
			return ubdx_fail(-EINVAL,
					 "the serial number %s has a character that is not "
					 "printable ASCII, or is a space, / or \\",
					 opts->serial);
	if (opts->serial && strlen(opts->serial) > max)
		return ubdx_fail(-EINVAL, "the serial number %s is longer than %zu characters",
				 opts->serial, max);
	return 0;
}

static int ubdx_server_add(struct ubdx_server *s)
{
	const struct ubdx_server_opts *opts = &s->opts;
	struct ubdx_features features;
	struct ubdx_add add = {
		.version = UBDX_VERSION,
		.id = opts->id,
		.xfer_modes = ubdx_offer(opts),
		.features = opts->flags & UBDX_SERVER_EXTENTS ? UBDX_F_EXTENTS : 0,
		.params = opts->params,
	};
	int ret;

	ret = ubdx_ctl_features(s->ctl, &features);
	if (ret)
		return ret;
	ret = ubdx_check_params(&opts->params, &features);
	if (!ret)
		ret = ubdx_check_cpus(opts);
	if (!ret)
		ret = ubdx_check_xfer(opts, &features);
	if (!ret)
		ret = ubdx_check_serial(opts);
	if (ret)
		return ret;
	ret = ubdx_ctl_add(s->ctl, &add);
	if (ret)
		return ret;

	ubdx_target_info_fill(&s->target_info, s->target);
	if (opts->serial)
		strcpy(s->target_info.serial, opts->serial);

	s->added = true;
	s->id = add.id;
	s->xfer_modes = add.xfer_modes & features.xfer_modes;
	s->params = add.params;
	ret = ubdx_memory_check(&s->params, ubdx_prefault(s), &s->logger);
	if (ret)
		return ret;
	return opts->xfer < 0 ? 0 : ubdx_ctl_set_xfer(s->ctl, s->id, opts->xfer);
}

/* Can the target, opened with the device's parameters, do what the device promises? */
static int ubdx_check_target(const struct ubdx_params *device, const struct ubdx_params *target)
{
	uint32_t differ = (device->attrs ^ target->attrs) & (UBDX_ATTR_READ_ONLY | UBDX_ATTR_FUA);

	if (target->dev_sectors != device->dev_sectors)
		return ubdx_fail(-EINVAL, "the target has %llu sectors, the device %llu",
				 (unsigned long long)target->dev_sectors,
				 (unsigned long long)device->dev_sectors);
	if (target->logical_block_size > device->logical_block_size)
		return ubdx_fail(-EINVAL, "the target's blocks are of %u bytes, the device's of %u",
				 target->logical_block_size, device->logical_block_size);
	if (device->max_discard_sectors && !target->max_discard_sectors)
		return ubdx_fail(-EINVAL, "the target can't discard, which the device promises");
	if (device->max_write_zeroes_sectors && !target->max_write_zeroes_sectors)
		return ubdx_fail(-EINVAL,
				 "the target can't write zeroes, which the device promises");
	if (differ || (target->attrs & ~device->attrs & UBDX_ATTR_WRITE_CACHE))
		return ubdx_fail(-EINVAL,
				 "target and device differ in read-only, FUA or write cache");
	return 0;
}

/*
 * Did the device's last server serve the same target? Assume so if it gave no description.
 */
static int ubdx_check_same(const struct ubdx_target_info *device,
			   const struct ubdx_target_info *target,
			   const struct ubdx_server_opts *opts)
{
	if (opts->flags & UBDX_SERVER_OTHER_TARGET || !device->target[0] ||
	    (!strcmp(device->target, target->target) &&
	     !memcmp(device->token, target->token, sizeof(device->token))))
		return 0;
	return ubdx_fail(-EXDEV,
			 "ubdxb%d served %s%s%.72s, not %s%s%.72s; "
			 "use --other-target to serve it with another target",
			 opts->id, device->target, device->text[0] ? " " : "", device->text,
			 target->target, target->text[0] ? " " : "", target->text);
}

/*
 * Could a server with these options serve this device? @target_info: out: the description for
 * SET_TARGET_INFO: that of @target, with the device's present serial number.
 */
static int ubdx_check_recover(int ctl, const struct ubdx_target *target,
			      const struct ubdx_server_opts *opts, struct ubdx_info *info,
			      struct ubdx_features *features, struct ubdx_target_info *target_info)
{
	struct ubdx_target_info device;
	int ret = ubdx_ctl_info(ctl, opts->id, info);

	ubdx_target_info_fill(target_info, target);
	if (!ret)
		ret = ubdx_ctl_target_info(ctl, opts->id, &device);
	if (!ret)
		ret = ubdx_check_same(&device, target_info, opts);
	if (ret)
		return ret;
	strcpy(target_info->serial, device.serial);

	ret = ubdx_ctl_features(ctl, features);
	if (!ret)
		ret = ubdx_check_cpus(opts);
	if (!ret)
		ret = ubdx_check_xfer(opts, features);
	return ret ? ret : ubdx_check_target(&info->params, &opts->params);
}

static int ubdx_server_adopt(struct ubdx_server *s)
{
	struct ubdx_features features;
	struct ubdx_info info;
	int ret =
		ubdx_check_recover(s->ctl, s->target, &s->opts, &info, &features, &s->target_info);

	if (ret)
		return ret;
	if (info.state != UBDX_S_QUIESCED)
		return ubdx_fail(info.state == UBDX_S_LIVE ? -EBUSY : -ENODEV,
				 "ubdxb%d does not wait for a server: it is %s", info.id,
				 ubdx_state_name(info.state));
	s->id = info.id;
	s->params = info.params;
	s->xfer_modes = ubdx_offer(&s->opts) & features.xfer_modes;
	if (info.status & UBDX_INFO_EXTENTS)
		s->opts.flags |= UBDX_SERVER_EXTENTS;
	return 0;
}

int ubdx_server_may_recover(const struct ubdx_target *target, const struct ubdx_server_opts *opts)
{
	struct ubdx_target_info target_info;
	struct ubdx_server_opts full;
	struct ubdx_features features;
	struct ubdx_info info;
	int ctl, ret = ubdx_server_opts_fill(&full, opts);

	if (ret)
		return ret;
	ctl = ubdx_ctl_open();
	if (ctl < 0)
		return ctl;
	ret = ubdx_check_recover(ctl, target, &full, &info, &features, &target_info);
	close(ctl);
	return ret;
}

static void ubdx_node_wait(void)
{
	nanosleep(&(struct timespec){ .tv_nsec = UBDX_NODE_WAIT_NS }, NULL);
}

/*
 * On devtmpfs the node exists at once, on another /dev it may appear later (ENOENT). In either case
 * udev may set the node's group later (EACCES).
 */
static int ubdx_channel_open(struct ubdx_server *s)
{
	int tries, denied = access("/run/udev/control", F_OK) ? UBDX_DENIED_TRIES : UBDX_NODE_TRIES;
	char path[32];

	snprintf(path, sizeof(path), "/dev/ubdxc%d", s->id);
	for (tries = 0; tries < UBDX_NODE_TRIES; tries++) {
		s->channel = open(path, O_RDWR | O_CLOEXEC);
		if (s->channel >= 0)
			return 0;
		if (errno == EBUSY)
			return ubdx_fail(-EBUSY, "%s: the device has a server already", path);
		if (errno != ENOENT && errno != EINTR && (errno != EACCES || tries >= denied))
			break;
		if (errno != EINTR)
			ubdx_node_wait();
	}
	return ubdx_fail(-errno, "%s: %m", path);
}

static int ubdx_wait_for_node(struct ubdx_server *s)
{
	struct ubdx_info info;
	struct stat st;
	char path[32];
	int tries, ret;

	ret = ubdx_ctl_info(s->ctl, s->id, &info);
	if (ret)
		return ret;
	snprintf(path, sizeof(path), "/dev/ubdxb%d", s->id);
	for (tries = 0; tries < UBDX_NODE_TRIES; tries++) {
		if (!stat(path, &st) && S_ISBLK(st.st_mode) &&
		    st.st_rdev == makedev(info.disk_major, info.disk_minor))
			return 0;
		ubdx_node_wait();
	}
	return ubdx_fail(-ENOENT, "%s doesn't appear; is /dev a devtmpfs?", path);
}

static struct ubdx_server *ubdx_server_alloc(struct ubdx_target *target,
					     const struct ubdx_server_opts *opts)
{
	struct ubdx_server *s = calloc(1, sizeof(*s));

	if (!s)
		return NULL;
	s->opts = *opts;
	s->logger = (struct ubdx_logger){ s->opts.log, s->opts.log_arg };
	s->target = target;
	s->ctl = -1;
	s->channel = -1;
	pthread_mutex_init(&s->lock, NULL);
	pthread_cond_init(&s->changed, NULL);
	s->gone = eventfd(0, EFD_CLOEXEC);
	if (s->gone < 0) {
		int err = errno;

		free(s);
		errno = err;
		return NULL;
	}
	return s;
}

/* After START the driver scans the device for partitions, by READs that our queues serve. */
static void ubdx_wait_for_scan(struct ubdx_server *s)
{
	struct ubdx_info info;

	while (!ubdx_ctl_info(s->ctl, s->id, &info) && info.status & UBDX_INFO_SCANNING)
		ubdx_node_wait();
}

/*
 * Register the target's files with the driver, for mode `forward` and for extents. Returns whether
 * all are registered. If not, requests of mode `forward` are served as in mode `user`, and the
 * device gets no extents.
 */
static bool ubdx_register_files(struct ubdx_server *s)
{
	unsigned int i;

	if (!(s->xfer_modes >> UBDX_XFER_FORWARD & 1 || s->opts.flags & UBDX_SERVER_EXTENTS))
		return false;
	for (i = 0; i < s->target->nr_files; i++) {
		int ret = ubdx_chan_set_file(s->channel, i, s->target->files[i]);

		if (ret == -EPERM) /* then the driver allows neither the mode nor extents */
			return false;
		if (ret) {
			ubdx_log(&s->logger, LOG_INFO,
				 "the driver can't forward to file %u of target %s: %s", i,
				 s->target->ops->name, strerror(-ret));
			return false;
		}
	}
	return true;
}

/* Let the target leave its extents with the driver, if the device can have some. */
static void ubdx_hand_out_extents(struct ubdx_server *s)
{
	int ret;

	if (!s->may_forward || !s->target->ops->extents)
		return;
	s->target->channel = s->channel;
	s->target->dev_sectors = s->params.dev_sectors;
	ret = s->target->ops->extents(s->target);
	if (ret && ret != -EOPNOTSUPP)
		ubdx_log(&s->logger, LOG_WARNING, "target %s: handing out its extents: %s",
			 s->target->ops->name, strerror(-ret));
}

/* @prepare: add a device, or adopt one. @xfer_modes: argument of START. */
static int ubdx_server_bring_up(struct ubdx_server *s, int (*prepare)(struct ubdx_server *s),
				uint64_t xfer_modes)
{
	int ret;

	s->ctl = ubdx_ctl_open();
	if (s->ctl < 0)
		return s->ctl;
	ret = prepare(s);
	if (!ret)
		ret = ubdx_channel_open(s);
	if (!ret) {
		s->may_forward = ubdx_register_files(s);
		ret = ubdx_workers_start(s);
	}
	s->target_info.id = s->id;
	if (!ret)
		ret = ubdx_ctl_set_target_info(s->ctl, &s->target_info);
	if (!ret)
		ret = ubdx_ctl_start(s->ctl, s->id, xfer_modes);
	if (ret)
		return ret;
	s->live = true;
	ubdx_spare_from_oom(&s->logger);
	ubdx_workers_tell(s, UBDX_SERVE);
	ubdx_hand_out_extents(s);
	/* A recovered device is in use, so a missing node must not end it. */
	if (!s->added)
		return 0;
	ret = ubdx_wait_for_node(s);
	if (!ret)
		ubdx_wait_for_scan(s);
	return ret;
}

static int ubdx_server_begin(struct ubdx_target *target, const struct ubdx_server_opts *opts,
			     int (*prepare)(struct ubdx_server *s), uint64_t xfer_modes,
			     struct ubdx_server **server)
{
	struct ubdx_server_opts full;
	struct ubdx_server *s;
	char error[256];
	int ret = ubdx_server_opts_fill(&full, opts);

	if (ret)
		return ret;
	s = ubdx_server_alloc(target, &full);
	if (!s)
		return ubdx_fail(-errno, "starting a server: %m");
	ret = ubdx_server_bring_up(s, prepare, xfer_modes);
	/* The caller lent these only for the start. */
	s->opts.cpus = NULL;
	s->opts.nr_cpus = 0;
	s->opts.serial = NULL;
	if (!ret) {
		*server = s;
		return 0;
	}
	/* Freeing the server must not replace the message. */
	snprintf(error, sizeof(error), "%s", ubdx_errmsg());
	ubdx_server_free(s);
	return ubdx_fail(ret, "%s", error);
}

int ubdx_server_start(struct ubdx_target *target, const struct ubdx_server_opts *opts,
		      struct ubdx_server **server)
{
	return ubdx_server_begin(target, opts, ubdx_server_add, 0, server);
}

int ubdx_server_recover(struct ubdx_target *target, const struct ubdx_server_opts *opts,
			struct ubdx_server **server)
{
	int ret = ubdx_server_begin(target, opts, ubdx_server_adopt, ubdx_offer(opts), server);

	if (ret || opts->xfer < 0)
		return ret;
	/*
	 * Pin only now: before START the driver doesn't know which modes this server offers. If
	 * pinning fails, the device is served anyway.
	 */
	if (ubdx_ctl_set_xfer((*server)->ctl, (*server)->id, opts->xfer))
		ubdx_log(&(*server)->logger, LOG_WARNING, "%s", ubdx_errmsg());
	return 0;
}

/* ---- afterwards ---- */

int ubdx_server_id(const struct ubdx_server *s)
{
	return s->id;
}

const struct ubdx_params *ubdx_server_params(const struct ubdx_server *s)
{
	return &s->params;
}

int ubdx_server_fd(const struct ubdx_server *s)
{
	return s->gone;
}

/* DEL goes to the channel, because another device may have this device's number by now. */
int ubdx_server_stop(struct ubdx_server *s, unsigned int flags)
{
	int ret = ubdx_ctl_del(s->channel, s->id, flags, 0);

	if (ret == -ENODEV)
		return ubdx_fail(ret, "ubdxb%d is not served by this server any more", s->id);
	return ret;
}

/*
 * Make the queues' threads leave. If they have already left, the device is gone, is dead, or has
 * another server.
 */
static void ubdx_server_let_go(struct ubdx_server *s)
{
	bool serving;

	pthread_mutex_lock(&s->lock);
	serving = s->live && s->nr_running;
	pthread_mutex_unlock(&s->lock);
	/*
	 * DEL completes the parked commands with -ENODEV, so the threads leave. It goes to the
	 * channel if that is open, as in ubdx_server_stop().
	 */
	if (serving || (s->added && !s->live))
		ubdx_ctl_del(s->channel < 0 ? s->ctl : s->channel, s->id, UBDX_CTL_FORCE, 0);
	ubdx_workers_tell(s, UBDX_LEAVE);
}

int ubdx_server_free(struct ubdx_server *s)
{
	int ret;

	if (!s)
		return 0;
	ubdx_server_let_go(s);
	ret = ubdx_workers_join(s);
	s->target->channel = -1;
	if (s->channel >= 0)
		close(s->channel);
	if (s->ctl >= 0)
		close(s->ctl);
	close(s->gone);
	pthread_cond_destroy(&s->changed);
	pthread_mutex_destroy(&s->lock);
	free(s);
	return ret;
}
