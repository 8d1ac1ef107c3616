// SPDX-License-Identifier: GPL-2.0
/* single.c - one request at a time, see single.h. */
#define _GNU_SOURCE
#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <setjmp.h>
#include <signal.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/mman.h>
#include <sys/wait.h>
#include <unistd.h>

#include "single.h"
#include "tap.h"

struct raw raw;
struct raw_queue q;
int bdev;
uint64_t features;
unsigned int block_bytes;

int neg(long ret)
{
	return ret < 0 ? -errno : (int)ret;
}

/* ---- a device whose server is this thread ---- */

void set_mode(unsigned int mode)
{
	struct ubdx_set set = { .id = raw.add.id, .xfer = mode };

	if (ioctl(raw.ctl, UBDX_IOC_SET, &set))
		bail("set mode %u: %s", mode, strerror(errno));
}

/* Does a request, or a command's error, come within @ms? Then raw_next() returns it at once. */
static bool comes(int ms)
{
	struct pollfd fd = { .fd = q.ring.ring_fd, .events = POLLIN };

	return q.nr_backlog || poll(&fd, 1, ms) > 0;
}

void serve_scan(void)
{
	int tag;

	while (raw_scanning(&raw) || comes(0)) {
		if (!comes(10))
			continue;
		tag = raw_next(&q);
		if (tag < 0)
			bail("scan: %s", strerror(-tag));
		memset(q.buf + (size_t)tag * RAW_BUF_BYTES, 0, RAW_BUF_BYTES);
		raw_commit(&q, 0, tag, q.desc[tag].seq, q.desc[tag].nr_sectors * 512, 0);
	}
}

void begin(unsigned int mode, unsigned int timeout_ms, unsigned int recovery)
{
	int ret;

	raw_defaults(&raw);
	raw.add.xfer_modes = (1 << RAW_NR_XFER) - 1;
	raw.add.params.timeout_ms = timeout_ms;
	raw.add.params.recovery = recovery;
	raw.add.features = features;
	if (block_bytes)
		raw.add.params.logical_block_size = block_bytes;
	ret = raw_add(&raw) ?: raw_open(&raw) ?: raw_queue_init(&raw, &q, 0) ?: raw_fetch_all(&q);
	if (ret)
		bail("a device: %s", strerror(ret < 0 ? -ret : ret));
	set_mode(UBDX_XFER_COPY);
	if (raw_ctl(&raw, UBDX_IOC_START, 0))
		bail("start");
	serve_scan();
	bdev = raw_bdev(&raw, O_RDWR);
	set_mode(mode);
}

int end(void)
{
	int ret;

	close(bdev);
	ret = raw_ctl(&raw, UBDX_IOC_DEL, UBDX_CTL_FORCE);
	raw_queue_exit(&q);
	close(raw.chan);
	close(raw.ctl);
	return ret;
}

void begin_as_client(int server)
{
	raw_defaults(&raw);
	if (read(server, &raw.add.id, sizeof(raw.add.id)) != sizeof(raw.add.id))
		bail("the server");
	snprintf(raw.path, sizeof(raw.path), "/dev/ubdxb%d", raw.add.id);
	raw.ctl = open("/dev/" UBDX_CONTROL_NAME, O_RDWR | O_CLOEXEC);
	bdev = raw_bdev(&raw, O_RDWR);
}

long counter(const char *file, const char *what)
{
	char path[64], name[32];
	long n, found = -1;
	FILE *f;

	snprintf(path, sizeof(path), "/sys/block/ubdxb%d/ubdx/%s", raw.add.id, file);
	f = fopen(path, "r");
	if (!f)
		bail("%s: %m", path);
	while (fscanf(f, "%31s %ld", name, &n) == 2)
		if (!strcmp(name, what))
			found = n;
	fclose(f);
	if (found < 0)
		bail("%s: there is no %s", path, what);
	return found;
}

long moved(const char *what)
{
	return counter("moved", what);
}

void set_parameter(const char *name, const char *value)
{
	char path[64];
	int fd;

	snprintf(path, sizeof(path), "/sys/module/ubdx/parameters/%s", name);
	fd = open(path, O_WRONLY | O_CLOEXEC);
	if (fd < 0 || write(fd, value, strlen(value)) < 0)
		bail("%s: %m", path);
	close(fd);
}

/* ---- clients ---- */

static void *client_main(void *arg)
{
	struct client *c = arg;

	c->ret = neg(c->write ? pwrite(bdev, c->mem, c->bytes, c->at) :
				pread(bdev, c->mem, c->bytes, c->at));
	atomic_store(&c->done, 1);
	return NULL;
}

void client_start(struct client *c, bool write, char *mem, size_t bytes, off_t at)
{
	*c = (struct client){ .write = write, .mem = mem, .bytes = bytes, .at = at };
	pthread_create(&c->thread, NULL, client_main, c);
}

const struct ubdx_desc *client(struct client *c, bool write, char *mem, size_t bytes)
{
	int tag;

	client_start(c, write, mem, bytes, 1 << 20);
	if (!comes(20000 * raw_slow()))
		bail("no request came");
	tag = raw_next(&q);
	if (tag < 0)
		bail("no request: %s", strerror(-tag));
	return &q.desc[tag];
}

bool client_waits(struct client *c)
{
	poll(NULL, 0, 200);
	return !atomic_load(&c->done);
}

int client_end(struct client *c)
{
	pthread_join(c->thread, NULL);
	return c->ret;
}

int commit(const struct ubdx_desc *d, int res)
{
	return raw_commit(&q, 0, d->tag, d->seq, res, 0);
}

int finish(struct client *c, const struct ubdx_desc *d, int res)
{
	int ret = commit(d, res);

	return ret == -EINPROGRESS ? client_end(c) : ret;
}

off_t pos(const struct ubdx_desc *d, unsigned int offset)
{
	return ubdx_pos(0, d->tag, d->seq, offset);
}

/* ---- windows ---- */

char *window[2];
size_t window_bytes;
static __thread sigjmp_buf bus; /* any thread can look */

static void on_bus(int sig)
{
	siglongjmp(bus, 1);
}

int look(const volatile char *p)
{
	return sigsetjmp(bus, 1) ? -1 : (unsigned char)*p;
}

char *place(const struct ubdx_desc *d)
{
	return window[d->op] + (size_t)d->tag * MAX_IO + d->page_offset;
}

void open_windows(void)
{
	signal(SIGBUS, on_bus);
	window_bytes = (size_t)q.depth * MAX_IO;
	window[UBDX_OP_WRITE] = mmap(NULL, window_bytes, PROT_READ, MAP_SHARED, raw.chan,
				     ubdx_window(0, UBDX_OP_WRITE));
	window[UBDX_OP_READ] = mmap(NULL, window_bytes, PROT_READ | PROT_WRITE, MAP_SHARED,
				    raw.chan, ubdx_window(0, UBDX_OP_READ));
	if (window[0] == MAP_FAILED || window[1] == MAP_FAILED)
		bail("a window: %m");
}

void close_windows(void)
{
	munmap(window[0], window_bytes);
	munmap(window[1], window_bytes);
}

void child_pipes(struct child *child)
{
	if (pipe(child->ask) || pipe(child->tell))
		bail("pipe");
}

void child_start(struct child *child, const char *p)
{
	int saw;
	char c;

	child->pid = fork();
	if (child->pid)
		return;
	/* the ring lives as long as a process has it open */
	io_uring_queue_exit(&q.ring);
	while (read(child->ask[0], &c, 1) == 1) {
		saw = look(p);
		if (write(child->tell[1], &saw, sizeof(saw)) < 0)
			break;
	}
	_exit(0);
}

int child_look(struct child *child)
{
	int saw = -2;

	if (write(child->ask[1], "", 1) < 0 || read(child->tell[0], &saw, sizeof(saw)) < 0)
		bail("child");
	return saw;
}

void child_end(struct child *child)
{
	kill(child->pid, SIGKILL);
	waitpid(child->pid, NULL, 0);
	close(child->ask[0]);
	close(child->ask[1]);
	close(child->tell[0]);
	close(child->tell[1]);
}
