// SPDX-License-Identifier: GPL-2.0
/*
 * ublk-peer: options, and the life of the device.
 *
 * One thread adds, starts, serves, stops and deletes the device. It submits start and stop on the
 * control ring, and serves the queue while they are under way. Polls on the queue's ring report
 * their completion and SIGTERM.
 */
#include <errno.h>
#include <fcntl.h>
#include <getopt.h>
#include <inttypes.h>
#include <signal.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/prctl.h>
#include <sys/signalfd.h>
#include <sys/stat.h>
#include <unistd.h>
#include <linux/fs.h>

#include "std_fds.h"
#include "ublk-peer.h"

#define EXIT_USAGE 2
#define EXIT_SKIP 77

#ifndef PR_SET_IO_FLUSHER
#define PR_SET_IO_FLUSHER 57
#endif

static const char *const mode_names[] = {
	[MODE_COPY] = "copy",
	[MODE_USER] = "user",
	[MODE_AUTO] = "auto",
	[MODE_BATCH] = "batch",
};

static const char usage[] =
	"usage: ublk-peer [options]\n"
	"Serve one ublk device with one queue, in the foreground.\n"
	"Print the device's path when it is live; delete the device at SIGTERM.\n"
	"  --id N                 device number (0)\n"
	"  --target null|loop     null answers at once; loop forwards to --file (null)\n"
	"  --file PATH            loop's backing file or block device, opened with O_DIRECT\n"
	"  --mode copy|user|auto|batch   how payloads move (copy); exit status 77 if the kernel lacks the mode\n"
	"  --touch none|all       --mode user, null target: leave payloads alone, or move each payload whole (none)\n"
	"  --size BYTES           size of the null target's device; K, M or G may follow (8G)\n"
	"  --depth N              requests in flight (128)\n"
	"  --max-io BYTES         largest request; K or M may follow (1M)\n"
	"  --max-segments N       most segments of a request (128)\n"
	"  --max-segment-size BYTES  largest segment; K or M may follow (64K)\n";

static void __attribute__((noreturn, format(printf, 2, 3))) fail(int status, const char *fmt, ...)
{
	va_list args;

	fflush(stdout);
	fputs("ublk-peer: ", stderr);
	va_start(args, fmt);
	vfprintf(stderr, fmt, args);
	va_end(args);
	fputc('\n', stderr);
	exit(status);
}

static uint64_t parse_size(const char *name, const char *arg)
{
	char *end;
	uint64_t v;

	errno = 0;
	v = strtoull(arg, &end, 10);
	if (*end == 'K')
		v <<= 10, end++;
	else if (*end == 'M')
		v <<= 20, end++;
	else if (*end == 'G')
		v <<= 30, end++;
	if (errno || end == arg || *end || !v)
		fail(EXIT_USAGE, "--%s %s: not a positive number", name, arg);
	return v;
}

static unsigned int parse_uint(const char *name, const char *arg, uint64_t max)
{
	uint64_t v = parse_size(name, arg);

	if (v > max)
		fail(EXIT_USAGE, "--%s %s: more than %" PRIu64, name, arg, max);
	return v;
}

static int parse_word(const char *name, const char *arg, const char *const words[], int nr)
{
	int i;

	for (i = 0; i < nr; i++)
		if (!strcmp(arg, words[i]))
			return i;
	fail(EXIT_USAGE, "--%s %s: unknown; see --help", name, arg);
}

static void parse_options(int argc, char **argv, struct peer_options *opt)
{
	static const char *const targets[] = { "null", "loop" };
	static const char *const touches[] = { "none", "all" };
	static const struct option longs[] = {
		{ "id", 1, NULL, 'i' },		  { "target", 1, NULL, 't' },
		{ "file", 1, NULL, 'f' },	  { "mode", 1, NULL, 'm' },
		{ "touch", 1, NULL, 'u' },	  { "size", 1, NULL, 's' },
		{ "depth", 1, NULL, 'd' },	  { "max-io", 1, NULL, 'x' },
		{ "max-segments", 1, NULL, 'n' }, { "max-segment-size", 1, NULL, 'z' },
		{ "help", 0, NULL, 'h' },	  {},
	};
	int c, target = 0, index = 0;

	while ((c = getopt_long(argc, argv, "", longs, &index)) != -1) {
		const char *name = longs[index].name;

		switch (c) {
		case 'i':
			opt->id = strcmp(optarg, "0") ? parse_uint(name, optarg, 1 << 20) : 0;
			break;
		case 't':
			target = parse_word(name, optarg, targets, 2);
			break;
		case 'f':
			opt->file = optarg;
			break;
		case 'm':
			opt->mode = parse_word(name, optarg, mode_names, 4);
			break;
		case 'u':
			opt->touch = parse_word(name, optarg, touches, 2);
			break;
		case 's':
			opt->size = parse_size(name, optarg) & ~4095ULL;
			break;
		case 'd':
			opt->depth = parse_uint(name, optarg, UBLK_MAX_QUEUE_DEPTH);
			break;
		case 'x':
			opt->max_io = parse_uint(name, optarg, 32 << 20) & ~4095U;
			break;
		case 'n':
			opt->max_segments = parse_uint(name, optarg, UINT16_MAX);
			break;
		case 'z':
			opt->max_segment_size = parse_uint(name, optarg, UINT32_MAX);
			break;
		case 'h':
			fputs(usage, stdout);
			exit(0);
		default:
			exit(EXIT_USAGE);
		}
	}
	if (optind < argc)
		fail(EXIT_USAGE, "%s: unexpected; see --help", argv[optind]);
	if (!!opt->file != !!target)
		fail(EXIT_USAGE,
		     target ? "the loop target needs --file" : "--file needs --target loop");
	if (opt->touch && (opt->mode != MODE_USER || target))
		fail(EXIT_USAGE, "--touch all is for --mode user with the null target");
}

/* Opens the backing file and takes the device's size from it. */
static int open_backing(struct peer_options *opt)
{
	struct stat st;
	int fd;

	if (!opt->file)
		return -1;
	fd = open(opt->file, O_RDWR | O_DIRECT | O_CLOEXEC);
	if (fd < 0 || fstat(fd, &st))
		fail(1, "%s: %s", opt->file, strerror(errno));
	opt->size = st.st_size;
	if (S_ISBLK(st.st_mode) && ioctl(fd, BLKGETSIZE64, &opt->size))
		fail(1, "%s: %s", opt->file, strerror(errno));
	opt->size &= ~4095ULL;
	if (!opt->size)
		fail(1, "%s: smaller than one block", opt->file);
	return fd;
}

static void add_device(struct peer_ctrl *ctrl, const struct peer_options *opt)
{
	__u64 features = 0, wanted = queue_features(opt);
	struct ublksrv_ctrl_dev_info info = {
		.nr_hw_queues = 1,
		.queue_depth = opt->depth,
		.max_io_buf_bytes = opt->max_io,
		.dev_id = opt->id,
		.flags = wanted | UBLK_F_CMD_IOCTL_ENCODE,
	};
	/* No VOLATILE_CACHE: write-through, as all devices in the comparison. */
	struct peer_params params = {
		.types = UBLK_PARAM_TYPE_BASIC | UBLK_PARAM_TYPE_DMA_ALIGN | UBLK_PARAM_TYPE_SEGMENT,
		.basic = {
			.logical_bs_shift = 9,
			.physical_bs_shift = 9,
			.io_min_shift = 9,
			.max_sectors = opt->max_io >> 9,
			.dev_sectors = opt->size >> 9,
		},
		.dma.alignment = 511,
		.seg = {
			.seg_boundary_mask = UINT32_MAX,
			.max_segment_size = opt->max_segment_size,
			.max_segments = opt->max_segments,
		},
	};
	int ret;

	ret = ctrl_open(ctrl, opt->id);
	if (ret < 0)
		fail(1, "/dev/ublk-control: %s; is ublk_drv loaded?", strerror(-ret));
	ret = ctrl_features(ctrl, &features);
	if (ret < 0)
		fail(1, "features: %s", strerror(-ret));
	if ((features & wanted) != wanted)
		fail(EXIT_SKIP,
		     "mode %s: this kernel lacks it (ublk offers %#llx, the mode needs %#llx)",
		     mode_names[opt->mode], (unsigned long long)features,
		     (unsigned long long)wanted);
	ret = ctrl_add(ctrl, &info);
	if (ret < 0)
		fail(1, "add device %d: %s", opt->id, strerror(-ret));
	ret = ctrl_set_params(ctrl, &params);
	if (ret < 0) {
		ctrl_del(ctrl);
		fail(1, "set parameters of device %d: %s", opt->id, strerror(-ret));
	}
}

static int open_channel(int id)
{
	char path[32];

	snprintf(path, sizeof(path), "/dev/ublkc%d", id);
	return open(path, O_RDWR | O_CLOEXEC);
}

/*
 * Serves the device from its start to its stop. If a stop is requested while the start is under
 * way, the stop waits for the start to complete. Returns 0, or the first error.
 */
static int serve(struct peer_queue *q, struct peer_ctrl *ctrl, int sigfd)
{
	enum { STARTING, LIVE, STOPPING } state = STARTING;
	bool stop = false;
	int ret, events;

	queue_arm(q);
	queue_watch(q, ctrl->ring.ring_fd, EV_CONTROL);
	queue_watch(q, sigfd, EV_SIGNAL);
	ret = ctrl_submit_start(ctrl);
	while (ret >= 0) {
		events = queue_serve(q);
		if (events < 0)
			return events;
		if (events & 1 << EV_CONTROL) {
			ret = ctrl_reap(ctrl);
			if (ret < 0 || state == STOPPING)
				break;
			state = LIVE;
			printf("/dev/ublkb%d\n", ctrl->id);
			fflush(stdout);
		}
		stop |= events & 1 << EV_SIGNAL || q->stopped;
		if (stop && state == LIVE) {
			state = STOPPING;
			queue_watch(q, ctrl->ring.ring_fd, EV_CONTROL);
			ret = ctrl_submit_stop(ctrl);
		}
	}
	return ret;
}

int main(int argc, char **argv)
{
	struct peer_options opt = {
		.size = 8ULL << 30,
		.depth = 128,
		.max_io = 1 << 20,
		.max_segments = 128,
		.max_segment_size = 64 << 10,
	};
	struct peer_ctrl ctrl;
	struct peer_queue q;
	int backing, cdev, sigfd, ret;
	sigset_t stop;

	std_fds_open();
	parse_options(argc, argv, &opt);
	sigemptyset(&stop);
	sigaddset(&stop, SIGTERM);
	sigaddset(&stop, SIGINT);
	sigprocmask(SIG_BLOCK, &stop, NULL);
	sigfd = signalfd(-1, &stop, SFD_CLOEXEC);
	if (sigfd < 0)
		fail(1, "signalfd: %s", strerror(errno));
	prctl(PR_SET_IO_FLUSHER, 1, 0, 0, 0);

	backing = open_backing(&opt);
	add_device(&ctrl, &opt);
	cdev = open_channel(opt.id);
	ret = cdev < 0 ? -errno : queue_init(&q, &opt, cdev, backing);
	if (!ret)
		ret = serve(&q, &ctrl, sigfd);
	if (cdev >= 0)
		queue_exit(&q);
	ctrl_del(&ctrl);
	ctrl_close(&ctrl);
	if (ret < 0)
		fail(1, "device %d: %s", opt.id, strerror(-ret));
	fprintf(stderr, "ublk-peer: %llu requests in %llu rounds\n", q.requests, q.rounds);
	return 0;
}
