// SPDX-License-Identifier: GPL-2.0
/*
 * faults.c - everything that can fail for lack of memory fails once.
 *
 *	faults MODULE.ko SITES
 *
 * Each step of a device's life, from loading the module to unloading it, is repeated: the first
 * time its first allocation fails, then its second, until there are no more (the kernel's
 * fail-nth). A step that fails must return a permitted errno, and must work when it is repeated.
 * While the module is being loaded, only the driver's own allocations count (ubdx_fail.ko).
 *
 * The kernel reports where it injected a failure. The call sites in the driver are written to
 * SITES, and faults.t compares them with all call sites that can fail.
 */
#define _GNU_SOURCE
#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <signal.h>
#include <setjmp.h>
#include <stdatomic.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/mman.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>

#include "raw.h"
#include "tap.h"

#define BYTES (64U << 10)
#define AT (1 << 20) /* the partition scan is elsewhere */
#define ALL_MODES ((1U << RAW_NR_XFER) - 1)
#define MAX_SITES 200

static const char *module_path;
static char *pattern; /* BYTES of a pattern that occurs nowhere else */

static int neg(long ret)
{
	return ret < 0 ? -errno : (int)ret;
}

/* ---- making the kernel fail ---- */

static __thread int nth_fd = -1;

static void set(const char *attr, const char *name, const char *value)
{
	char path[128];
	int fd;

	snprintf(path, sizeof(path), "/sys/kernel/debug/%s/%s", attr, name);
	fd = open(path, O_WRONLY);
	if (fd < 0 || write(fd, value, strlen(value)) < 0)
		bail("%s: %s; is this a debug kernel?", path, strerror(errno));
	close(fd);
}

/* Every allocation may fail, and each failure is reported. */
static void prepare_kernel(void)
{
	static const char *const attrs[] = { "failslab", "fail_page_alloc" };
	unsigned int i;

	for (i = 0; i < 2; i++) {
		set(attrs[i], "ignore-gfp-wait", "N");
		set(attrs[i], "verbose", "2");
		set(attrs[i], "verbose_ratelimit_interval_ms", "0");
	}
	set("fail_page_alloc", "ignore-gfp-highmem", "N");
	set("fail_page_alloc", "min-order", "0");
}

static void write_nth(int fd, unsigned int n)
{
	char text[16];
	int len = snprintf(text, sizeof(text), "%u", n);

	if (pwrite(fd, text, len, 0) != len)
		bail("fail-nth: %s", strerror(errno));
}

/* Make this thread's @n-th allocation from now on fail. */
static void arm(unsigned int n)
{
	if (nth_fd < 0)
		nth_fd = open("/proc/thread-self/fail-nth", O_RDWR | O_CLOEXEC);
	write_nth(nth_fd, n);
}

/* Make the @n-th allocation in the init function of the module that the step loads fail. */
static void arm_module(unsigned int n)
{
	int fd = open("/sys/module/ubdx_fail/parameters/nth", O_WRONLY | O_CLOEXEC);

	if (fd < 0)
		bail("ubdx_fail.ko isn't loaded: %s", strerror(errno));
	arm(0);
	write_nth(fd, n);
	close(fd);
}

/* Returns true if an allocation has failed. */
static bool disarm(void)
{
	char text[16] = "";

	if (pread(nth_fd, text, sizeof(text) - 1, 0) <= 0 || pwrite(nth_fd, "0", 1, 0) != 1)
		bail("fail-nth: %s", strerror(errno));
	return atoi(text) == 0;
}

/* ---- where it failed ---- */

static char sites[MAX_SITES][128];
static unsigned int nr_sites;

static void add_site(const char *site, const char *callee)
{
	char text[128];
	unsigned int i;

	snprintf(text, sizeof(text), "%.80s %.40s", site, callee);
	for (i = 0; i < nr_sites; i++)
		if (!strcmp(sites[i], text))
			return;
	if (nr_sites == MAX_SITES)
		bail("more than %u sites", MAX_SITES);
	strcpy(sites[nr_sites++], text);
}

/*
 * Parse a line of a call trace. The driver's first frame is the caller of the function that failed,
 * and the frame before it is that function.
 */
static bool read_frame(const char *line, char *callee)
{
	char name[128];

	if (strstr(line, " ? ") || sscanf(line, " %127[^/ ]", name) != 1 || !strchr(name, '+'))
		return false;
	if (strstr(line, "[ubdx]")) {
		add_site(name, callee);
		return true;
	}
	*strchr(name, '+') = 0;
	strcpy(callee, name);
	return false;
}

/* Read the kernel's log since the last call, and note the call sites that it reports. */
static void read_log(void)
{
	static int fd = -1;
	char record[8192], callee[128] = "-", *text;
	bool in_trace = false;
	ssize_t n;

	if (fd < 0) {
		fd = open("/dev/kmsg", O_RDONLY | O_NONBLOCK | O_CLOEXEC);
		lseek(fd, 0, SEEK_END);
		return;
	}
	while ((n = read(fd, record, sizeof(record) - 1)) > 0 || errno == EPIPE) {
		if (n <= 0)
			continue;
		record[n] = 0;
		text = strchr(record, ';');
		if (!text)
			continue;
		text++;
		if (strstr(text, "Call Trace:")) {
			in_trace = true;
			strcpy(callee, "-");
		} else if (in_trace && (strstr(text, "</TASK>") || read_frame(text, callee))) {
			in_trace = false;
		}
	}
}

/* ---- steps ---- */

struct step {
	const char *name;
	int (*prepare)(void); /* sets up what the step needs */
	int (*run)(void);
	void (*undo)(void); /* undoes both, whatever @run has returned */
	void (*arm)(unsigned int n); /* NULL: arm() */
	int also; /* an errno, beside ENOMEM, that @run may return */
	bool apart; /* @run needs a new process, which ends after it */
};

struct outcome {
	int ret;
	bool failed; /* an allocation has failed, whatever @ret is */
};

static struct outcome run_here(const struct step *s, unsigned int n)
{
	struct outcome outcome;

	if (n)
		(s->arm ?: arm)(n);
	outcome.ret = s->run();
	outcome.failed = n && disarm();
	return outcome;
}

/* Run the step, with its @n-th allocation failing; 0: none. */
static struct outcome run(const struct step *s, unsigned int n)
{
	static struct outcome *shared;
	int status;
	pid_t pid;

	if (!s->apart)
		return run_here(s, n);
	if (!shared)
		shared = mmap(NULL, sizeof(*shared), PROT_READ | PROT_WRITE,
			      MAP_SHARED | MAP_ANONYMOUS, -1, 0);
	if (shared == MAP_FAILED)
		bail("out of memory");
	pid = fork();
	if (!pid) {
		nth_fd = -1; /* the inherited descriptor sets the parent's fail-nth */
		*shared = run_here(s, n);
		_exit(0);
	}
	if (pid < 0 || waitpid(pid, &status, 0) != pid || status)
		bail("%s: the process that does it fails", s->name);
	return *shared;
}

static void take(const struct step *s)
{
	unsigned int n, refused = 0, over = 0;
	double told = raw_now();
	struct outcome outcome;
	int ret, odd = 0, stuck = 0;

	for (n = 1;; n++) {
		if (raw_now() > told + 10) {
			told = raw_now();
			printf("# %s: %u faults so far\n", s->name, n - 1);
			fflush(stdout);
		}
		ret = s->prepare();
		if (ret)
			bail("%s, before fault %u: %s", s->name, n, strerror(-ret));
		outcome = run(s, n);
		if (outcome.ret < 0) {
			refused++;
			if (outcome.ret != -ENOMEM && outcome.ret != -s->also && !odd)
				odd = outcome.ret;
			s->undo();
			if (s->prepare())
				bail("%s, after fault %u: can't be prepared", s->name, n);
			ret = run(s, 0).ret;
			if (ret < 0 && !stuck)
				stuck = ret;
		} else if (outcome.failed) {
			over++;
		}
		s->undo();
		read_log();
		if (!outcome.failed)
			break;
	}
	ok(n > 1 && !odd, "%s: %u faults, %u reported, %u survived%s%s", s->name, n - 1, refused,
	   over, odd ? "; one returned " : "", odd ? strerror(-odd) : "");
	ok(!stuck, "   and after each it works%s%s", stuck ? ", but for: " : "",
	   stuck ? strerror(-stuck) : "");
}

/* ---- the module ---- */

static int nothing(void)
{
	return 0;
}

static int load(void)
{
	int fd = open(module_path, O_RDONLY | O_CLOEXEC), ret;

	if (fd < 0)
		return -errno;
	ret = neg(syscall(SYS_finit_module, fd, "", 0));
	close(fd);
	return ret;
}

static int unload(void)
{
	double end = raw_now() + 10;
	int ret;

	while ((ret = neg(syscall(SYS_delete_module, "ubdx", O_NONBLOCK))) == -EWOULDBLOCK &&
	       raw_now() < end)
		poll(NULL, 0, 10);
	return ret;
}

/* Unload the module if it is loaded. */
static void unload_any(void)
{
	unload();
}

/* ---- a device ---- */

static struct raw raw;
static struct raw_queue queue;

static int add(void)
{
	raw_defaults(&raw);
	raw.add.xfer_modes = ALL_MODES;
	raw.add.id = 3;
	return raw_add(&raw);
}

static void del(void)
{
	if (raw.chan >= 0)
		close(raw.chan);
	if (raw.ctl < 0)
		return;
	raw_ctl(&raw, UBDX_IOC_DEL, UBDX_CTL_FORCE);
	close(raw.ctl);
}

static int add_any(void)
{
	raw_defaults(&raw);
	return raw_add(&raw);
}

/* Far from all other mappings, so that no page tables exist yet. */
#define WINDOWS_AT ((char *)(1UL << 44))
#define WINDOWS_APART (1UL << 40)

static char *windows[2]; /* indexed by UBDX_OP_READ and UBDX_OP_WRITE */

static int map_window(unsigned int op, int prot)
{
	windows[op] = mmap(WINDOWS_AT + op * WINDOWS_APART,
			   (size_t)raw.add.params.depth * RAW_BUF_BYTES, prot,
			   MAP_SHARED | MAP_FIXED, raw.chan, ubdx_window(0, op));
	if (windows[op] != MAP_FAILED)
		return 0;
	windows[op] = NULL;
	return -errno;
}

static void unmap_windows(void)
{
	unsigned int op;

	for (op = 0; op < 2; op++) {
		if (windows[op])
			munmap(windows[op], (size_t)raw.add.params.depth * RAW_BUF_BYTES);
		windows[op] = NULL;
	}
}

static int map_windows(void)
{
	return map_window(UBDX_OP_READ, PROT_READ | PROT_WRITE) ?:
		       map_window(UBDX_OP_WRITE, PROT_READ);
}

static int open_chan(void)
{
	return raw_open(&raw) ?: map_windows();
}

static void close_chan(void)
{
	unmap_windows();
	del();
}

static int add_and_open(void)
{
	return add() ?: raw_open(&raw) ?: raw_queue_init(&raw, &queue, 0);
}

static int attach(void)
{
	int ret = raw_attach(&queue, 0, 0);

	return ret == -EINPROGRESS ? 0 : ret;
}

static int fetch(void)
{
	unsigned int tag;
	int ret = 0;

	for (tag = 0; tag < 2 && !ret; tag++) {
		ret = raw_fetch(&queue, 0, tag, queue.buf, 0, 0);
		if (ret == -EINPROGRESS)
			ret = 0;
	}
	return ret;
}

static int add_and_attach(void)
{
	return add_and_open() ?: attach();
}

static void close_queue(void)
{
	raw_queue_exit(&queue);
	del();
}

/* ---- a device that is served by a thread ---- */

static struct raw_server server;
static int bdev;
static unsigned int op_fault; /* which allocation fails when the server serves; 0: none */
static bool in_commit; /* op_fault is about the commit, not about the access to the payload */
static atomic_bool op_failed, op_wrong;
static atomic_int op_error;
static int pipes[2];
static sigjmp_buf bus;
static char scratch[BYTES];

static void on_bus(int sig)
{
	siglongjmp(bus, 1);
}

static int copy_payload(const struct ubdx_desc *d, char *buf)
{
	memcpy(d->op == UBDX_OP_WRITE ? scratch : buf, d->op == UBDX_OP_WRITE ? buf : pattern,
	       BYTES);
	return BYTES;
}

static int user_payload(const struct ubdx_desc *d, char *buf)
{
	off_t pos = ubdx_pos(0, d->tag, d->seq, 0);

	return neg(d->op == UBDX_OP_WRITE ? pread(raw.chan, scratch, BYTES, pos) :
					    pwrite(raw.chan, pattern, BYTES, pos));
}

/* Through a pipe, which has room for the whole payload. */
static int splice_payload(const struct ubdx_desc *d, char *buf)
{
	loff_t pos = ubdx_pos(0, d->tag, d->seq, 0);
	int ret;

	if (d->op == UBDX_OP_WRITE) {
		ret = neg(splice(raw.chan, &pos, pipes[1], NULL, BYTES, SPLICE_F_NONBLOCK));
		return ret < 0 ? ret : neg(read(pipes[0], scratch, ret));
	}
	ret = neg(write(pipes[1], pattern, BYTES));
	if (ret > 0)
		ret = neg(splice(pipes[0], NULL, raw.chan, &pos, ret, SPLICE_F_NONBLOCK));
	while (read(pipes[0], scratch, BYTES) > 0)
		;
	return ret;
}

static char *place_of(const struct ubdx_desc *d)
{
	return windows[d->op] + (size_t)d->tag * RAW_BUF_BYTES + d->page_offset;
}

static int map_payload(const struct ubdx_desc *d, char *buf)
{
	if (sigsetjmp(bus, 1))
		return -EFAULT;
	if (d->op == UBDX_OP_WRITE)
		memcpy(scratch, place_of(d), BYTES);
	else
		memcpy(place_of(d), pattern, BYTES);
	return BYTES;
}

static int (*const payload[RAW_NR_XFER])(const struct ubdx_desc *d, char *buf) = {
	[UBDX_XFER_COPY] = copy_payload,   [UBDX_XFER_USER] = user_payload,
	[UBDX_XFER_MAP] = map_payload,	   [UBDX_XFER_SPLICE] = splice_payload,
	[UBDX_XFER_REGBUF] = user_payload, [UBDX_XFER_FORWARD] = user_payload,
};

static void note_fault(void)
{
	if (disarm())
		atomic_store(&op_failed, true);
}

/* Runs in the server's thread. If the access to the payload fails, it is repeated and must work. */
static int32_t answer(struct raw_queue *q, const struct ubdx_desc *d, char *buf)
{
	static bool armed;
	unsigned int n = op_fault;
	int ret;

	if (armed)
		note_fault();
	armed = false;
	if (d->sector != AT / 512 || d->nr_sectors != BYTES / 512)
		return d->nr_sectors * 512;
	op_fault = 0;
	if (n && !in_commit)
		arm(n);
	ret = payload[d->xfer](d, buf);
	if (n && !in_commit)
		note_fault();
	if (ret < (int)BYTES) {
		atomic_store(&op_error, ret < 0 ? ret : -EIO);
		ret = payload[d->xfer](d, buf);
	}
	if (ret != BYTES || (d->op == UBDX_OP_WRITE && memcmp(scratch, pattern, BYTES)))
		atomic_store(&op_wrong, true);
	/* this thread's next system call commits, waits, and gets the next request */
	if (n && in_commit) {
		arm(n);
		armed = true;
	}
	return ret;
}

static int start(void)
{
	return raw_ctl(&server.raw, UBDX_IOC_START, 0);
}

static int prepare_server(void)
{
	raw_defaults(&server.raw);
	server.raw.add.xfer_modes = ALL_MODES;
	raw_server_begin(&server, answer);
	raw = server.raw;
	return 0;
}

static void stop_server(void)
{
	raw_server_stop(&server);
}

/* A START that failed can be repeated by the same server. */
static int start_again(void)
{
	int ret = start();

	if (ret < 0) {
		bool failed = disarm();
		int again = start();

		arm(failed ? 0 : 1);
		return again < 0 ? -EBADE : ret;
	}
	return 0;
}

static int prepare_live(void)
{
	return prepare_server() ?: start();
}

static int delete_live(void)
{
	return raw_ctl(&server.raw, UBDX_IOC_DEL, UBDX_CTL_FORCE);
}

static void join_server(void)
{
	pthread_join(server.thread, NULL);
	close(server.raw.chan);
	close(server.raw.ctl);
}

/* The device is gone, and its server still has a window. */
static int prepare_gone(void)
{
	return prepare_live() ?: map_windows() ?: delete_live();
}

static int touch_window(void)
{
	if (sigsetjmp(bus, 1))
		return -EFAULT;
	return *(volatile char *)windows[UBDX_OP_READ] ? -EBADMSG : 0;
}

static void unmap_gone(void)
{
	unmap_windows();
	join_server();
}

static int read_attributes(void)
{
	static const char *const names[] = { "xfer",	   "xfer_wanted", "state", "counters",
					     "errors",	   "fallbacks",	  "moved", "queues",
					     "server_pid", "target" };
	char path[96], text[4096];
	unsigned int i;
	int fd, ret = 0;

	for (i = 0; i < sizeof(names) / sizeof(*names) && ret >= 0; i++) {
		snprintf(path, sizeof(path), "/sys/block/ubdxb%d/ubdx/%s", raw.add.id, names[i]);
		fd = open(path, O_RDONLY | O_CLOEXEC);
		ret = fd < 0 ? -errno : neg(read(fd, text, sizeof(text)));
		close(fd);
	}
	return ret;
}

/* ---- requests ---- */

static int move(bool write, char *mem)
{
	int ret = neg(write ? pwrite(bdev, mem, BYTES, AT) : pread(bdev, mem, BYTES, AT));

	return ret < 0 ? ret : ret == BYTES ? 0 : -EIO;
}

/* Failures in the server: in its access to a payload, or in its commit. */
static void server_faults(const char *mode, bool write, bool commit)
{
	char *mem = raw_mem(BYTES);
	unsigned int n, wrong = 0, told = 0;
	bool failed;

	for (n = 1;; n++) {
		/* the server is idle; map the windows again, so that they have no page tables */
		unmap_windows();
		if (map_windows())
			bail("windows: %s", strerror(errno));
		memcpy(mem, write ? pattern : memset(scratch, 0, BYTES), BYTES);
		atomic_store(&op_failed, false);
		atomic_store(&op_wrong, false);
		atomic_store(&op_error, 0);
		in_commit = commit;
		op_fault = n;
		if (move(write, mem) || memcmp(mem, pattern, BYTES))
			wrong++;
		/* with this request the server notes whether an allocation of its commit failed */
		if (pread(bdev, mem, 4096, AT + BYTES) != 4096)
			wrong++;
		wrong += atomic_load(&op_wrong);
		told += atomic_load(&op_error) != 0;
		failed = atomic_load(&op_failed);
		read_log();
		if (!failed)
			break;
	}
	ok(!wrong, "%s: a %s's %s: %u faults, %u reported; all bytes are right", mode,
	   write ? "WRITE" : "READ", commit ? "commit" : "payload", n - 1, told);
	munmap(mem, BYTES);
}

/* Failures in the submitter. */
static void client_faults(const char *mode, bool write)
{
	char *mem = raw_mem(BYTES);
	unsigned int n, told = 0, wrong = 0;
	bool failed;
	int ret;

	for (n = 1;; n++) {
		memcpy(mem, write ? pattern : memset(scratch, 0, BYTES), BYTES);
		arm(n);
		ret = move(write, mem);
		failed = disarm();
		told += ret < 0;
		if (ret < 0 && ret != -ENOMEM && ret != -EIO && ret != -EFAULT)
			wrong++;
		if ((ret < 0 && move(write, mem)) || memcmp(mem, pattern, BYTES))
			wrong++;
		read_log();
		if (!failed)
			break;
	}
	ok(!wrong, "%s: the submitter of a %s: %u faults, %u reported; all bytes are right", mode,
	   write ? "WRITE" : "READ", n - 1, told);
	munmap(mem, BYTES);
}

static void requests(void)
{
	static const char *const names[RAW_NR_XFER] = { "copy",	  "user",   "map",
							"splice", "regbuf", "forward" };
	unsigned int mode, write;

	if (prepare_live())
		bail("a device: %s", strerror(errno));
	if (map_windows())
		bail("windows: %s", strerror(errno));
	bdev = raw_bdev(&raw, O_RDWR);
	for (mode = 0; mode < RAW_NR_XFER; mode++) {
		struct ubdx_set order = { .id = raw.add.id, .xfer = mode };

		if (!(raw_modes() >> mode & 1))
			continue; /* this kernel lacks the mode */
		if (ioctl(raw.ctl, UBDX_IOC_SET, &order))
			bail("%s: %s", names[mode], strerror(errno));
		for (write = 0; write < 2; write++) {
			client_faults(names[mode], write);
			server_faults(names[mode], write, false);
			server_faults(names[mode], write, true);
		}
	}
	close(bdev);
	unmap_windows();
	stop_server();
}

int main(int argc, char **argv)
{
	static const struct step first = { "the module is loaded", nothing, load,
					   .undo = unload_any, .arm = arm_module };
	static const struct step with[] = {
		{ "ADD", nothing, add, .undo = del },
		{ "ADD of any number", nothing, add_any, .undo = del },
		{ "the channel is opened and mapped", add, open_chan, .undo = close_chan,
		  .apart = true },
		{ "ATTACH", add_and_open, attach, .undo = close_queue, .also = EAGAIN },
		{ "FETCH", add_and_attach, fetch, .undo = close_queue, .also = EAGAIN },
		/* device_add() sometimes returns EINVAL */
		{ "START", prepare_server, start_again, .undo = stop_server, .also = EINVAL },
		{ "attributes are read", prepare_live, read_attributes, .undo = stop_server },
		{ "DEL", prepare_live, delete_live, .undo = join_server },
		{ "the window of a device that is gone", prepare_gone, touch_window,
		  .undo = unmap_gone },
	};
	static const struct step last = { "the module is unloaded", load, unload,
					  .undo = unload_any };
	unsigned int i;
	FILE *out;

	if (argc != 3)
		bail("usage: faults MODULE.ko SITES");
	module_path = argv[1];
	pattern = raw_mem(BYTES);
	for (i = 0; i < BYTES; i++)
		pattern[i] = (char)(i * 7 + (i >> 9) + 1);
	signal(SIGBUS, on_bus);
	if (pipe2(pipes, O_NONBLOCK) || fcntl(pipes[1], F_SETPIPE_SZ, 2 * BYTES) < 0)
		bail("pipe");
	prepare_kernel();
	read_log();

	take(&first);
	if (load())
		bail("the module can't be loaded: %s", strerror(errno));
	for (i = 0; i < sizeof(with) / sizeof(*with); i++)
		take(&with[i]);
	requests();
	if (unload())
		bail("the module can't be unloaded: %s", strerror(errno));
	take(&last);

	out = fopen(argv[2], "w");
	for (i = 0; out && i < nr_sites; i++)
		fprintf(out, "%s\n", sites[i]);
	if (!out || fclose(out))
		bail("%s: %s", argv[2], strerror(errno));
	return done();
}
