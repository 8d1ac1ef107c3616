// SPDX-License-Identifier: MIT OR LGPL-2.1
/*
 * add.c - the command `add`: options, and the life of the server process that it starts.
 */
#include <errno.h>
#include <poll.h>
#include <signal.h>
#include <stdlib.h>
#include <string.h>
#include <sys/signalfd.h>
#include <syslog.h>
#include <unistd.h>

#include "cli.h"

/* What the command line says; -1 and UNSET where it says nothing. */
#define UNSET UINT64_MAX

struct add_args {
	const char *target, *file, *xfer, *cpus;
	uint64_t id, size, queues, depth, max_io, timeout, block_size, physical_block_size, io_opt;
	uint64_t max_segments, max_segment_size, dma_align, numa_node, prefault;
	int direct, read_only, no_discard, write_cache, fua, foreground, json;
};

/*
 * The server.
 * @log:	where its messages go: stderr, later maybe the system's log.
 * @reporter:	where the command waits for a report; -1 in the foreground.
 * @warnings:	to be said only if there is nothing worse to say.
 */
struct serving {
	const struct command *self;
	const struct add_args *args;
	struct ubdx_target *target;
	struct ubdx_server_opts opts;
	struct ubdx_params params;
	ubdx_log_fn log;
	int reporter;
	char warnings[512];
};

/* ---- command line ---- */

static void print_targets(char *text, size_t size)
{
	const struct ubdx_target_ops *ops;
	size_t used = 0;
	unsigned int i;

	for (i = 0; (ops = ubdx_target_get(i)) && used < size; i++)
		used += snprintf(text + used, size - used, "%s%s", i ? ", " : "", ops->name);
}

static void print_modes(char *text, size_t size)
{
	size_t used = 0;
	unsigned int mode;

	for (mode = 0; mode < 64 && used < size; mode++)
		if (ubdx_xfer_modes() >> mode & 1)
			used += snprintf(text + used, size - used, "%s, ", ubdx_xfer_name(mode));
	snprintf(text + used, used < size ? size - used : 0, "default");
}

static int parse_args(const struct command *self, int argc, char **argv, struct add_args *a)
{
	char targets[128], modes[160];
	const struct option_def options[] = {
		{ "target", OPTION_STRING, &a->target, 0, 0, "NAME", targets },
		{ "size", OPTION_SIZE, &a->size, 512, INT64_MAX, "SIZE",
		  "capacity (the file's; null and mem need it)" },
		{ "file", OPTION_STRING, &a->file, 0, 0, "PATH",
		  "file or block device behind loop" },
		{ "direct", OPTION_FLAG, &a->direct, 1, 0, NULL,
		  "bypass the page cache of the file" },
		{ "read-only", OPTION_FLAG, &a->read_only, 1, 0, NULL, "refuse writes" },
		{ "no-discard", OPTION_FLAG, &a->no_discard, 1, 0, NULL,
		  "never give space of the target back" },
		{ "write-cache", OPTION_FLAG, &a->write_cache, 1, 0, NULL,
		  "volatile until flushed (loop: as the file is)" },
		{ "no-write-cache", OPTION_FLAG, &a->write_cache, 0, 0, NULL,
		  "stable when written; loop syncs each write if need be" },
		{ "fua", OPTION_FLAG, &a->fua, 1, 0, NULL,
		  "take writes that are to be stable at once" },
		{ "no-fua", OPTION_FLAG, &a->fua, 0, 0, NULL,
		  "have the kernel flush after them instead" },
		{ "id", OPTION_NUMBER, &a->id, 0, INT32_MAX, "N",
		  "number of the device (lowest free)" },
		{ "queues", OPTION_NUMBER, &a->queues, 1, UINT16_MAX, "N",
		  "hardware queues, each with a thread" },
		{ "depth", OPTION_NUMBER, &a->depth, 1, UBDX_MAX_DEPTH, "N", "requests per queue" },
		{ "max-io", OPTION_SIZE, &a->max_io, UBDX_MIN_IO_BYTES, UBDX_MAX_IO_BYTES, "SIZE",
		  "longest request" },
		{ "block-size", OPTION_SIZE, &a->block_size, 512, 4096, "SIZE",
		  "logical block (512)" },
		{ "physical-block-size", OPTION_SIZE, &a->physical_block_size, 512, 1U << 30,
		  "SIZE", "physical block (4096)" },
		{ "io-opt", OPTION_SIZE, &a->io_opt, 512, 1U << 30, "SIZE",
		  "preferred request (none)" },
		{ "max-segments", OPTION_NUMBER, &a->max_segments, 1, UINT16_MAX, "N",
		  "longest scatter list of a request (one entry a page)" },
		{ "max-segment-size", OPTION_SIZE, &a->max_segment_size, 4096, UINT32_MAX, "SIZE",
		  "longest entry of one (no limit)" },
		{ "dma-align", OPTION_SIZE, &a->dma_align, 1, 4096, "SIZE",
		  "alignment of memory for direct I/O (4)" },
		{ "timeout", OPTION_NUMBER, &a->timeout, 1, 86400, "SECONDS",
		  "after which the server is taken for dead (30)" },
		{ "xfer", OPTION_STRING, &a->xfer, 0, 0, "MODE", modes },
		{ "cpus", OPTION_STRING, &a->cpus, 0, 0, "LIST",
		  "CPUs of the queues' threads, in turn: 0-3,8" },
		{ "numa-node", OPTION_NUMBER, &a->numa_node, 0, 1023, "N",
		  "node of threads and memory" },
		{ "prefault", OPTION_SIZE, &a->prefault, 0, UBDX_MAX_IO_BYTES, "SIZE",
		  "part of each tag's buffer resident from the start" },
		{ "foreground", OPTION_FLAG, &a->foreground, 1, 0, NULL, "stay; log to stderr" },
		OPTION_JSON(&a->json),
		{ 0 },
	};
	int first, ret;

	print_targets(targets, sizeof(targets));
	print_modes(modes, sizeof(modes));
	ret = options_parse(self, options, argc, argv, &first);
	if (ret >= 0)
		return ret;
	if (first < argc)
		return cli_usage(self, "%s: takes no operand", argv[first]);
	if (!a->target)
		return cli_usage(self, "--target is needed: %s", targets);
	if (!ubdx_target_find(a->target))
		return cli_usage(self, "there is no target %s; there are %s", a->target, targets);
	if (a->xfer && strcmp(a->xfer, "default") && ubdx_xfer_by_name(a->xfer) < 0)
		return cli_usage(self, "there is no transfer mode %s; there are %s", a->xfer,
				 modes);
	if (a->dma_align & (a->dma_align - 1))
		return cli_usage(self, "--dma-align %llu is not a power of two",
				 (unsigned long long)a->dma_align);
	return -1;
}

/* Powers of two, of those that --block-size allows; the driver checks the rest. */
static int check_blocks(const struct command *self, const struct add_args *a)
{
	if (a->block_size & (a->block_size - 1))
		return cli_usage(self, "--block-size %llu is not a power of two",
				 (unsigned long long)a->block_size);
	if (a->physical_block_size & (a->physical_block_size - 1))
		return cli_usage(self, "--physical-block-size %llu is not a power of two",
				 (unsigned long long)a->physical_block_size);
	if (a->max_io % 4096)
		return cli_usage(self, "--max-io %llu is not a multiple of 4096",
				 (unsigned long long)a->max_io);
	return -1;
}

static int parse_server_opts(const struct command *self, const struct add_args *a,
			     struct ubdx_server_opts *opts, unsigned int **cpus)
{
	ubdx_server_opts_init(opts);
	if (a->id != UNSET)
		opts->id = a->id;
	if (a->xfer && strcmp(a->xfer, "default"))
		opts->xfer = ubdx_xfer_by_name(a->xfer);
	if (a->prefault != UNSET)
		opts->prefault = a->prefault;
	if (a->cpus && parse_cpus(a->cpus, cpus, &opts->nr_cpus))
		return cli_usage(self, "--cpus %s is not a list of CPUs, such as 0-3,8", a->cpus);
	opts->cpus = *cpus;
	return -1;
}

/* Zero, where nothing was said, leaves it to the target or the driver. */
static void fill_params(const struct add_args *a, struct ubdx_params *p)
{
	*p = (struct ubdx_params){
		.nr_queues = a->queues,
		.depth = a->depth,
		.max_io_bytes = a->max_io,
		.timeout_ms = a->timeout * 1000,
		.logical_block_size = a->block_size,
		.physical_block_size = a->physical_block_size,
		.io_opt = a->io_opt,
		.max_segments = a->max_segments,
		.max_segment_size = a->max_segment_size,
		.dma_alignment = a->dma_align ? a->dma_align - 1 : 0,
		.numa_node = a->numa_node == UNSET ? -1 : (int)a->numa_node,
	};
}

static void fill_target_config(const struct add_args *a, struct ubdx_target_config *config)
{
	ubdx_target_config_init(config);
	config->path = a->file;
	config->bytes = a->size;
	config->write_cache = a->write_cache;
	config->fua = a->fua;
	if (a->direct)
		config->flags |= UBDX_TARGET_DIRECT;
	if (a->read_only)
		config->flags |= UBDX_TARGET_READ_ONLY;
	if (a->no_discard)
		config->flags |= UBDX_TARGET_NO_DISCARD;
}

/* ---- in the command ---- */

static int print_added(const struct command *self, const struct add_args *a, int id)
{
	struct output o = { .file = stdout, .json = true };
	struct ubdx_info info;
	int ctl, ret;

	if (!a->json) {
		printf("/dev/ubdxb%d\n", id);
		return fflush(stdout) ? cli_fail(self, "writing the output failed") : EXIT_SUCCESS;
	}
	ctl = ubdx_ctl_open();
	if (ctl < 0)
		return cli_lib_fail(self);
	ret = ubdx_ctl_info(ctl, id, &info);
	close(ctl);
	if (ret)
		return cli_lib_fail(self);
	output_begin(&o, NULL);
	describe_device(&o, &info);
	output_end(&o);
	return output_finish(&o) ? EXIT_SUCCESS : cli_fail(self, "writing the output failed");
}

/* Nobody was told of the device, so nobody would delete it. */
static void take_back(int id)
{
	int ctl = ubdx_ctl_open();

	if (ctl < 0)
		return;
	ubdx_ctl_del(ctl, id, UBDX_CTL_FORCE);
	close(ctl);
}

static int await_server(const struct command *self, const struct add_args *a, pid_t child, int fd)
{
	struct report report;
	int ret;

	if (daemon_wait(child, fd, &report) || report.ret)
		return cli_fail(self, "%s", report.text);
	ret = print_added(self, a, report.id);
	if (ret)
		take_back(report.id);
	return ret;
}

/* ---- in the server ---- */

static void log_stderr(void *arg, int priority, const char *text)
{
	fprintf(stderr, "ubdx: %s\n", text);
}

/* The library's messages go where ours do now. */
static void log_current(void *arg, int priority, const char *text)
{
	const struct serving *s = arg;

	s->log(NULL, priority, text);
}

static void log_later(void *arg, int priority, const char *text)
{
	struct serving *s = arg;
	size_t used = strlen(s->warnings);

	snprintf(s->warnings + used, sizeof(s->warnings) - used, "%s\n", text);
}

static void log_now(struct serving *s)
{
	char *line, *rest = s->warnings;

	while ((line = strsep(&rest, "\n")) && *line)
		s->log(NULL, LOG_WARNING, line);
}

/* Blocked before there are threads, so that none of them gets any. */
static int open_signals(void)
{
	sigset_t signals;

	signal(SIGPIPE, SIG_IGN);
	sigemptyset(&signals);
	sigaddset(&signals, SIGTERM);
	sigaddset(&signals, SIGINT);
	sigaddset(&signals, SIGHUP);
	sigprocmask(SIG_BLOCK, &signals, NULL);
	return signalfd(-1, &signals, SFD_CLOEXEC);
}

static int start_server(struct serving *s, struct ubdx_server **server)
{
	struct ubdx_target_config config;
	int ret;

	/* The likeliest reasons to fail come first, so that they are all that is said. */
	ret = ubdx_ctl_open();
	if (ret < 0)
		return ret;
	close(ret);
	fill_target_config(s->args, &config);
	fill_params(s->args, &s->params);
	ret = ubdx_target_open(ubdx_target_find(s->args->target), &config, &s->params, &s->target);
	if (ret)
		return ret;
	ubdx_process_prepare(log_later, s);
	s->opts.params = s->params;
	s->opts.log = log_current;
	s->opts.log_arg = s;
	ret = ubdx_server_start(s->target, &s->opts, server);
	if (ret)
		ubdx_target_close(s->target);
	else
		log_now(s);
	return ret;
}

/* Tell whoever waits for it; 0 if they have heard. */
static int report_live(struct serving *s, int id)
{
	const struct report report = { .id = id };

	if (s->reporter < 0)
		return print_added(s->self, s->args, id);
	if (write(s->reporter, &report, sizeof(report)) != sizeof(report))
		return -EPIPE;
	close(s->reporter);
	s->log = daemon_log;
	daemon_detach();
	return 0;
}

static int report_failure(struct serving *s, int err)
{
	struct report report = { .ret = err };

	if (s->reporter < 0)
		return cli_lib_fail(s->self);
	snprintf(report.text, sizeof(report.text), "%s", ubdx_errmsg());
	if (write(s->reporter, &report, sizeof(report)) < 0)
		return cli_lib_fail(s->self);
	return EXIT_FAILURE;
}

/*
 * Whoever ends a server wants it gone, and would kill it next: so a device that is in use is taken
 * away by force. What is then in flight, or not yet written back, is lost with EIO, in good order.
 */
static void stop(struct serving *s, struct ubdx_server *server)
{
	char text[64];

	if (ubdx_server_stop(server, 0) != -EBUSY)
		return;
	snprintf(text, sizeof(text), "ubdxb%d is in use; taking it away by force",
		 ubdx_server_id(server));
	s->log(NULL, LOG_WARNING, text);
	ubdx_server_stop(server, UBDX_CTL_FORCE);
}

/* Until the device is gone: deleted by somebody, or by us on a signal. */
static void wait_for_end(struct serving *s, struct ubdx_server *server, int signals)
{
	struct pollfd fds[] = {
		{ .fd = ubdx_server_fd(server), .events = POLLIN },
		{ .fd = signals, .events = POLLIN },
	};
	struct signalfd_siginfo signal;

	for (;;) {
		if (poll(fds, ARRAY_SIZE(fds), -1) < 0)
			continue;
		if (fds[0].revents)
			return;
		if (fds[1].revents && read(signals, &signal, sizeof(signal)) == sizeof(signal))
			stop(s, server);
	}
}

static int serve(struct serving *s)
{
	int ret, signals = open_signals();
	struct ubdx_server *server;

	ret = start_server(s, &server);
	if (ret)
		return report_failure(s, ret);
	ret = report_live(s, ubdx_server_id(server));
	if (!ret)
		wait_for_end(s, server, signals);
	if (ubdx_server_free(server))
		ret = EXIT_FAILURE;
	ubdx_target_close(s->target);
	return ret ? EXIT_FAILURE : EXIT_SUCCESS;
}

int cmd_add(const struct command *self, int argc, char **argv)
{
	struct add_args args = {
		.id = UNSET,
		.numa_node = UNSET,
		.prefault = UNSET,
		.write_cache = -1,
		.fua = -1,
	};
	struct serving s = { .self = self, .args = &args, .log = log_stderr, .reporter = -1 };
	unsigned int *cpus = NULL;
	int ret, fd;

	ret = parse_args(self, argc, argv, &args);
	if (ret < 0)
		ret = check_blocks(self, &args);
	if (ret < 0)
		ret = parse_server_opts(self, &args, &s.opts, &cpus);
	if (ret >= 0) {
		free(cpus);
		return ret;
	}

	if (args.foreground) {
		ret = serve(&s);
	} else {
		pid_t child = daemon_fork(&fd);

		if (child < 0) {
			ret = cli_fail(self, "starting a server: %s", strerror(-child));
		} else if (child) {
			ret = await_server(self, &args, child, fd);
		} else {
			s.reporter = fd;
			ret = serve(&s);
		}
	}
	free(cpus);
	return ret;
}
