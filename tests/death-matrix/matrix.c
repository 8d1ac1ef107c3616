// SPDX-License-Identifier: GPL-2.0
/*
 * matrix.c - the death matrix, a systematic test of invariant 5 (docs/design.md): each way in which
 * a server, a client or a device can end, at each stage of a request's life, under load, in each
 * transfer mode.
 *
 *	death-matrix ubdx.ko ubdx_pause.ko [OPTION...]
 *	--cell MODE:STAGE:WAY	only these cells; each part is a shell pattern ('copy:T2:*')
 *	--jobs N		cells at once (4)
 *
 * A cell has a server with two queues, a client with load on both, and one more request, the
 * *subject*. The cell brings the subject to its stage and holds it there. At T0, T2 and T4 to T7,
 * ubdx_pause.ko holds the subject in the driver. At T3 the server reads the subject and waits. At
 * T1 the subject is published while the server waits with another request, the *bait*, and so
 * doesn't return to its ring. Then the cell makes the server, client or device end in the cell's
 * way, waits until the driver can get no further, and releases the subject. The table below says how
 * the subject must end, and which cells are impossible, with the reason.
 *
 * A row is all ways at one stage in one mode. After each row the module must unload.
 */
#define _GNU_SOURCE
#include <errno.h>
#include <fcntl.h>
#include <fnmatch.h>
#include <getopt.h>
#include <poll.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>

#include "matrix_cell.h"
#include "tap.h"

static const char *const stage_names[] = {
	"T0 queue_rq", "T1 published", "T2 delivered", "T3 read",
	"T4 moved",    "T5 committed", "T6 released",  "T7 ended"
};

/*
 * How the subject must end, by stage: 0, or the errno. If the number is negative, 0 is also right.
 * Once the subject's commit has arrived (T5), the subject succeeds.
 */
#define SERVED .subject = { 0 }
#define UNTIL_COMMIT(error) .subject = { error, error, error, error, error, 0, 0, 0 }

static const struct way ways[] = {
	{ .name = "server SIGKILL", .end = KILLED, UNTIL_COMMIT(EIO) },
	{ .name = "queue thread exits", .end = THREAD_EXITS, UNTIL_COMMIT(EIO) },
	{ .name = "ring closed", .end = RING_CLOSED, UNTIL_COMMIT(EIO) },
	{ .name = "fork, parent exits", .end = FORK_EXITS, UNTIL_COMMIT(EIO) },
	{ .name = "deleted",
	  .end = DELETED,
	  SERVED,
	  .never = "T0",
	  .because = "a task in queue_rq has the device open" },
	{ .name = "deleted while open", .end = DELETED_OPEN, SERVED },
	{ .name = "deleted by force", .end = DELETED_FORCED, UNTIL_COMMIT(EIO) },
	{ .name = "module unload tried", .end = UNLOADED, SERVED },
	{ .name = "client killed", .end = CLIENT_KILLED, SERVED },
	{ .name = "SIGSTOP past timeout", .end = STOPPED, UNTIL_COMMIT(ETIMEDOUT) },
	{ .name = "stuck past timeout",
	  .end = STUCK,
	  UNTIL_COMMIT(ETIMEDOUT),
	  .never = "T0",
	  .because = "queue_rq never waits, and an abort waits until it returns" },
	/*
	 * at T2 and T4 the result depends on whether the driver knows at that time that the server
	 * will never see the request
	 */
	{ .name = "SIGKILL, recovery queue",
	  .end = KILLED,
	  .recovery = UBDX_RECOVERY_QUEUE,
	  .subject = { 0, 0, -EIO, EIO, -EIO, 0, 0, 0 } },
	{ .name = "SIGKILL, recovery reissue",
	  .end = KILLED,
	  .recovery = UBDX_RECOVERY_REISSUE,
	  SERVED },
};
#define NR_WAYS (sizeof(ways) / sizeof(ways[0]))

/* ---- the modules ---- */

static const char *driver_file, *pause_file;

static int module_load(const char *file)
{
	int fd = open(file, O_RDONLY | O_CLOEXEC), ret;

	if (fd < 0)
		return -errno;
	ret = syscall(SYS_finit_module, fd, "", 0) ? -errno : 0;
	close(fd);
	return ret;
}

static int module_unload(const char *name)
{
	int ret;

	within(10, !(ret = syscall(SYS_delete_module, name, O_NONBLOCK) ? -errno : 0));
	return ret;
}

static void load_modules(void)
{
	int ret = module_load(driver_file) ?: module_load(pause_file);

	if (ret)
		bail("%s, %s: %s", driver_file, pause_file, strerror(-ret));
}

/* ---- rows ---- */

struct result {
	bool done;
	char complaints[2000];
};

static struct result *results; /* for the row's ways; shared with the cells' processes */
static unsigned int jobs = 4;
static const char *only[3];

static bool chosen(const struct mode *mode, unsigned int stage, const struct way *way)
{
	char name[3] = { 'T', (char)('0' + stage) };

	return (!only[0] || !fnmatch(only[0], mode->name, 0)) &&
	       (!only[1] || !fnmatch(only[1], name, 0)) &&
	       (!only[2] || !fnmatch(only[2], way->name, 0));
}

static bool possible(const struct way *way, unsigned int stage)
{
	return !way->never || way->never[1] != '0' + stage;
}

/* Each cell runs in a process of its own, so that a failure doesn't affect other cells. */
static pid_t start_cell(const struct mode *mode, unsigned int stage, unsigned int w)
{
	pid_t pid = fork();

	if (pid)
		return pid;
	cell_run(mode, stage, &ways[w], w, results[w].complaints, sizeof(results[w].complaints));
	results[w].done = true;
	_exit(0);
}

static void run_row(const struct mode *mode, unsigned int stage)
{
	unsigned int w, running = 0, ran = 0;

	memset(results, 0, NR_WAYS * sizeof(*results));
	load_modules();
	for (w = 0; w < NR_WAYS; w++) {
		if (!chosen(mode, stage, &ways[w]) || !possible(&ways[w], stage))
			continue;
		if (running == jobs) {
			wait(NULL);
			running--;
		}
		start_cell(mode, stage, w);
		running++;
		ran++;
	}
	while (running--)
		wait(NULL);

	for (w = 0; w < NR_WAYS; w++) {
		const struct way *way = &ways[w];
		char bait[64] = "";

		if (!chosen(mode, stage, way))
			continue;
		if (!possible(way, stage)) {
			ok(true, "%s, %s, %s: # SKIP can't be: %s", mode->name, stage_names[stage],
			   way->name, way->because);
			continue;
		}
		/* the bait, which the server had read, may end in another way than the subject */
		if (stage == T1 && way->subject[T1] != way->subject[T3])
			snprintf(bait, sizeof(bait), ", and %s for what the server had read",
				 strerrorname_np(way->subject[T3]));
		ok(results[w].done && !results[w].complaints[0], "%s, %s, %s: %s%s%s", mode->name,
		   stage_names[stage], way->name,
		   way->subject[stage] ? strerrorname_np(abs(way->subject[stage])) : "served",
		   way->subject[stage] < 0 ? " or served" : "", bait);
		printf("%s%s", results[w].complaints,
		       results[w].done ? "" : "#   the cell's process died\n");
	}
	if (!ran)
		goto unload;
	is(module_unload("ubdx_pause") ?: module_unload("ubdx"), 0, "   the module unloads");
	return;
unload:
	module_unload("ubdx_pause");
	module_unload("ubdx");
}

/* All modes that the driver has, known here or not. */
static uint64_t driver_modes(void)
{
	int ret = module_load(driver_file);
	uint64_t mask;

	if (ret)
		bail("%s: %s", driver_file, strerror(-ret));
	mask = raw_modes();
	module_unload("ubdx");
	return mask;
}

static void run(void)
{
	uint64_t xfer_modes = driver_modes();
	unsigned int m, stage;

	for (m = 0; m < nr_modes; m++) {
		if (!(xfer_modes & 1ULL << modes[m].xfer))
			continue;
		xfer_modes &= ~(1ULL << modes[m].xfer);
		for (stage = 0; stage < NR_STAGES; stage++)
			run_row(&modes[m], stage);
	}
	is(xfer_modes, 0, "each mode that the driver has is in the matrix");
}

static void usage(void)
{
	fprintf(stderr,
		"usage: death-matrix UBDX.KO UBDX_PAUSE.KO [--cell MODE:STAGE:WAY] [--jobs N]\n");
	exit(2);
}

int main(int argc, char **argv)
{
	static const struct option options[] = { { "cell", required_argument, NULL, 'c' },
						 { "jobs", required_argument, NULL, 'j' },
						 {} };
	char *cell = NULL;
	int c, i;

	while ((c = getopt_long(argc, argv, "", options, NULL)) != -1) {
		if (c == 'c')
			cell = optarg;
		else if (c == 'j')
			jobs = atoi(optarg);
		else
			usage();
	}
	if (argc - optind != 2 || !jobs)
		usage();
	driver_file = argv[optind];
	pause_file = argv[optind + 1];
	for (i = 0; cell && i < 3; i++)
		only[i] = strsep(&cell, ":");
	results = mmap(NULL, NR_WAYS * sizeof(*results), PROT_READ | PROT_WRITE,
		       MAP_SHARED | MAP_ANONYMOUS, -1, 0);
	if (results == MAP_FAILED)
		bail("out of memory");
	run_elsewhere();
	run();
	return done();
}
