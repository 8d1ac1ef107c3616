// SPDX-License-Identifier: GPL-2.0
/*
 * ubdx-trace.c - reports what the requests of a running device cost, stage by stage. This file
 * loads the programs of ubdx-trace.bpf.c, and has the loop that reads what they have counted.
 *
 * The kernel frees programs and maps with this process, however it ends.
 */
#include <bpf/bpf.h>
#include <bpf/libbpf.h>
#include <errno.h>
#include <signal.h>
#include <stdlib.h>
#include <string.h>
#include <sys/wait.h>
#include <unistd.h>

#include "std_fds.h"
#include "tracer.h"

#define TICK_MS 100
#define LEARN_TICK_MS 10
#define STOP_MS 5000
#define SECOND_NS 1000000000ULL
/* on_stage runs until this many requests have ended, and then for one tick of each second. */
#define LEARN_REQUESTS 64

static volatile sig_atomic_t interrupted;

/* ---- loading ---- */

static int quiet(enum libbpf_print_level level, const char *fmt, va_list args)
{
	if (level == LIBBPF_DEBUG || !getenv("UBDX_TRACE_DEBUG"))
		return 0;
	return vfprintf(stderr, fmt, args);
}

/* Returns 0; or prints what is missing and returns the exit status. */
static int check_kernel(void)
{
	if (access("/sys/module/ubdx", F_OK))
		return trace_fail("the driver isn't loaded; try: modprobe ubdx");
	if (geteuid())
		return trace_fail("only root can trace the kernel");
	if (access("/sys/kernel/btf/vmlinux", F_OK))
		return trace_fail("this kernel has no BTF (CONFIG_DEBUG_INFO_BTF)");
	if (access("/sys/kernel/btf/ubdx", F_OK))
		return trace_fail(
			"the module has no BTF; rebuild it with pahole installed and vmlinux beside the kernel headers");
	return 0;
}

/* Compare the whole name with its NUL, or only the prefix that all our disks have. */
static void choose_disks(struct tracer *t)
{
	char name[16] = "ubdxb", mask[16] = "";
	size_t length = strlen(name);

	if (t->options->dev >= 0)
		length = 1 + snprintf(name, sizeof(name), "ubdxb%d", t->options->dev);
	memset(mask, -1, length);
	memcpy((void *)t->skel->rodata->disk_name, name, sizeof(name));
	memcpy((void *)t->skel->rodata->disk_mask, mask, sizeof(mask));
}

/* UBDX_TRACE_ROOM=N in the environment limits the map of roles, for tests of what is dropped. */
static void limit_room(struct tracer *t)
{
	const char *room = getenv("UBDX_TRACE_ROOM");

	if (!room || atoi(room) <= 0)
		return;
	bpf_map__set_max_entries(t->skel->maps.roles, atoi(room));
}

static int load(struct tracer *t)
{
	const struct options *o = t->options;
	int ret;

	t->skel = ubdx_trace_bpf__open();
	if (!t->skel)
		return trace_fail("opening the BPF programs: %s", strerror(errno));
	t->skel->rodata->only_dev = o->dev;
	t->skel->rodata->only_ops = o->ops;
	t->skel->rodata->only_modes = o->modes;
	t->skel->rodata->min_bytes = o->min_bytes;
	t->skel->rodata->max_bytes = o->max_bytes;
	t->skel->rodata->filtered = is_filtered(o);
	t->skel->rodata->want_timeline = o->timeline;
	t->skel->bss->timeline_left = o->timeline;
	choose_disks(t);
	limit_room(t);
	ret = choose_programs(t);
	if (ret)
		return ret;
	ret = ubdx_trace_bpf__load(t->skel);
	if (ret == -EPERM)
		return trace_fail(
			"not permitted to load BPF programs; check lockdown, CAP_BPF and CAP_PERFMON");
	if (ret)
		return trace_fail("loading the BPF programs: %s; UBDX_TRACE_DEBUG=1 prints details",
				  strerror(-ret));
	return 0;
}

/* ---- servers and submitters ---- */

/* Returns false if the traced device is gone. */
static bool find_servers(struct tracer *t)
{
	int id = t->options->dev < 0 ? 0 : t->options->dev;
	uint32_t role = R_SERVER;
	struct ubdx_info info;
	bool found = false;

	while (!(t->options->dev < 0 ? ubdx_ctl_next(t->ctl, id, &info) :
				       ubdx_ctl_info(t->ctl, id, &info))) {
		uint32_t tgid = info.server_pid;

		found = true;
		if (info.server_pid > 0) {
			if (bpf_map_update_elem(bpf_map__fd(t->skel->maps.roles), &tgid, &role,
						BPF_ANY))
				__sync_fetch_and_add(&t->skel->bss->roles_dropped, 1);
		}
		if (t->options->dev >= 0)
			break;
		id = info.id + 1;
	}
	return found || t->options->dev < 0;
}

static void learn(struct tracer *t, bool on)
{
	if (!bpf_program__autoload(t->skel->progs.on_stage))
		return;
	if (on && !t->learning) {
		t->learning = bpf_program__attach(t->skel->progs.on_stage);
	} else if (!on && t->learning) {
		bpf_link__destroy(t->learning);
		t->learning = NULL;
	}
}

/* ---- the loop ---- */

static int on_request(void *arg, void *data, size_t size)
{
	struct tracer *t = arg;

	timeline_add(t->timeline, data);
	return 0;
}

/* Print what came since @last, then replace @last. */
static void show_live(struct tracer *t, struct snapshot *last)
{
	struct snapshot now, shown;

	if (take_snapshot(t, &now))
		return;
	shown = now;
	shown.classes = malloc((now.nr_classes + 1) * sizeof(*now.classes));
	if (shown.classes) {
		memcpy(shown.classes, now.classes, now.nr_classes * sizeof(*now.classes));
		since(&shown, last->at ? last : &t->base);
		printf("\033[H\033[2J");
		report_text(stdout, &shown, t->options);
		fflush(stdout);
		free(shown.classes);
	}
	free(last->classes);
	*last = now;
}

static void wait_tick(struct tracer *t)
{
	unsigned int ms = t->learning ? LEARN_TICK_MS : TICK_MS;

	if (t->options->live)
		interrupted |= live_wait(ms);
	else if (t->ring)
		ring_buffer__poll(t->ring, ms);
	else
		usleep(ms * 1000);
}

/* SIGCHLD also interrupts the wait for the next tick. */
static bool command_ended(struct tracer *t)
{
	if (t->command > 0 && waitpid(t->command, &t->command_status, WNOHANG) == t->command)
		t->command = -1;
	return t->command < 0;
}

static bool enough(struct tracer *t, uint64_t requests)
{
	const struct options *o = t->options;

	if (command_ended(t))
		return true;
	if (interrupted || (o->count && requests >= o->count))
		return true;
	if (t->timeline && timeline_full(t->timeline))
		return true;
	return o->duration && now_ns() - t->base.at >= o->duration * 1e9;
}

/* This process is a submitter while it forks, so that on_fork makes COMMAND a submitter, too. */
static int start_command(struct tracer *t)
{
	int roles = bpf_map__fd(t->skel->maps.roles);
	char **command = t->options->command;
	uint32_t us = getpid(), role = R_SUBMITTER;

	if (!command)
		return 0;
	bpf_map_update_elem(roles, &us, &role, BPF_ANY);
	t->command = fork();
	if (t->command)
		bpf_map_delete_elem(roles, &us);
	if (t->command < 0)
		return trace_fail("fork: %s", strerror(errno));
	if (!t->command) {
		/* needed where the kernel lacks sched_process_fork */
		us = getpid();
		bpf_map_update_elem(roles, &us, &role, BPF_ANY);
		execvp(command[0], command);
		trace_fail("%s: %s", command[0], strerror(errno));
		_exit(127);
	}
	return 0;
}

static void stop_command(struct tracer *t)
{
	int tries;

	kill(t->command, SIGTERM);
	for (tries = 0; tries < STOP_MS / TICK_MS && !command_ended(t); tries++)
		usleep(TICK_MS * 1000);
	if (command_ended(t))
		return;
	kill(t->command, SIGKILL);
	waitpid(t->command, &t->command_status, 0);
	t->command = -1;
}

/*
 * End the command if it still runs. Returns the command's exit status as a shell reports it, or 0
 * if the command was ended because --duration, --count or --timeline was reached or the device was
 * gone.
 */
static int end_command(struct tracer *t)
{
	if (!t->options->command)
		return 0;
	if (!command_ended(t)) {
		stop_command(t);
		if (!interrupted)
			return 0;
	}
	return WIFEXITED(t->command_status) ? WEXITSTATUS(t->command_status) :
					      128 + WTERMSIG(t->command_status);
}

/* Returns 0, or 1 if the traced device was gone before tracing was to end. */
static int watch(struct tracer *t)
{
	const struct options *o = t->options;
	struct snapshot last = { 0 };
	uint64_t requests = 0, now, next = t->base.at + SECOND_NS;
	int ret = 0;

	while (!enough(t, requests)) {
		wait_tick(t);
		if (o->count || requests < LEARN_REQUESTS)
			requests = requests_so_far(t);
		now = now_ns();
		/* new submitters may appear at any time */
		learn(t, requests < LEARN_REQUESTS || now >= next);
		if (now < next)
			continue;
		next = now + SECOND_NS;
		/* COMMAND may delete the device as its last step */
		if (!find_servers(t) && !command_ended(t)) {
			ret = trace_fail("ubdxb%d is gone", o->dev);
			break;
		}
		if (o->live)
			show_live(t, &last);
	}
	free(last.classes);
	return ret;
}

static int finish(struct tracer *t)
{
	const struct options *o = t->options;
	struct snapshot s;
	size_t i;
	int ret = take_snapshot(t, &s);

	for (i = 0; i < ARRAY_SIZE(t->links); i++)
		bpf_link__destroy(t->links[i]);
	learn(t, false);
	if (ret)
		return ret;
	since(&s, &t->base);
	if (t->ring)
		ring_buffer__consume(t->ring);
	if (t->timeline && timeline_close(t->timeline))
		ret = trace_fail("%s can't be written", o->trace_file);
	if (o->json)
		report_json(stdout, &s, o);
	else if (o->csv)
		report_csv(stdout, &s, o);
	else
		report_text(stdout, &s, o);
	free(s.classes);
	if (fflush(stdout) || ferror(stdout))
		ret = trace_fail("writing the output failed");
	return ret;
}

static int open_views(struct tracer *t)
{
	const struct options *o = t->options;

	if (o->timeline) {
		t->timeline = timeline_open(o);
		if (!t->timeline)
			return trace_fail("%s can't be written: %s",
					  o->trace_file ?: "the timeline", strerror(errno));
		t->ring =
			ring_buffer__new(bpf_map__fd(t->skel->maps.timeline), on_request, t, NULL);
		if (!t->ring)
			return trace_fail("no ring buffer: %s", strerror(errno));
	}
	if (o->cost) {
		t->stats_fd = bpf_enable_stats(BPF_STATS_RUN_TIME);
		if (t->stats_fd < 0)
			return trace_fail("enabling BPF run-time statistics: %s", strerror(errno));
	}
	return 0;
}

static int run(struct tracer *t)
{
	int ret = check_kernel(), gone;

	if (ret)
		return ret;
	t->ctl = ubdx_ctl_open();
	if (t->ctl < 0)
		return trace_fail("%s", ubdx_errmsg());
	t->nr_cpus = libbpf_num_possible_cpus();
	ret = load(t);
	if (ret)
		return ret;
	if (!find_servers(t))
		return trace_fail("there is no ubdxb%d; ubdx list shows the devices",
				  t->options->dev);
	ret = open_views(t);
	if (ret)
		return ret;
	ret = attach_programs(t);
	if (ret)
		return ret;
	ret = take_snapshot(t, &t->base);
	if (ret)
		return ret;
	learn(t, true);
	if (t->options->live)
		live_begin();
	ret = start_command(t);
	if (ret)
		return ret;
	gone = watch(t);
	ret = finish(t) ?: gone;
	return end_command(t) ?: ret;
}

static void on_signal(int signal)
{
	if (signal != SIGCHLD)
		interrupted = 1;
}

int main(int argc, char **argv)
{
	const char *clock = getenv("UBDX_CLOCK");
	struct options options = {
		.dev = -1,
		.ops = ~0,
		.modes = ~0,
		.max_bytes = ~0,
		.sets = SET_CPU,
		.clock = clock && !strcmp(clock, "count") ? "instructions" : "ns",
	};
	struct tracer tracer = { .options = &options, .ctl = -1, .stats_fd = -1 };
	struct sigaction action = { .sa_handler = on_signal };
	int ret;

	std_fds_open();
	parse_options(argc, argv, &options);
	tracer.sets = options.sets;
	if (options.sets)
		tracer.sets |= SET_ROLES;
	libbpf_set_print(quiet);
	sigaction(SIGINT, &action, NULL);
	sigaction(SIGTERM, &action, NULL);
	sigaction(SIGCHLD, &action, NULL);
	ret = run(&tracer);
	free(tracer.base.classes);
	ring_buffer__free(tracer.ring);
	ubdx_trace_bpf__destroy(tracer.skel);
	return ret;
}
