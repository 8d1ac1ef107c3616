// SPDX-License-Identifier: GPL-2.0
/*
 * uapi.c - a server or a caller breaks the rules of the UAPI header. Checks how the driver answers,
 * and that the device still works. Invariants 3, 4 and 6 (docs/design.md).
 */
#define _GNU_SOURCE
#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <stdatomic.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/mman.h>
#include <sys/wait.h>
#include <unistd.h>

#include "raw.h"
#include "tap.h"

/* ---- control ---- */

static int add_with(void (*change)(struct ubdx_add *add))
{
	struct raw raw;
	int ret;

	raw_defaults(&raw);
	change(&raw.add);
	ret = raw_add(&raw);
	if (!ret)
		raw_ctl(&raw, UBDX_IOC_DEL, 0);
	close(raw.ctl);
	return ret;
}

#define ADD_RETURNS(want, change)                            \
	do {                                                 \
		void fn(struct ubdx_add *add)                \
		{                                            \
			change;                              \
		}                                            \
		is(add_with(fn), want, "ADD with " #change); \
	} while (0)

static void control(void)
{
	struct ubdx_features features;
	struct raw raw, other;
	struct ubdx_set set;
	struct ubdx_ctl ctl;

	ADD_RETURNS(-EPROTO, add->version = UBDX_VERSION + 1);
	ADD_RETURNS(-EOPNOTSUPP, add->features = 1ULL << 63);
	ADD_RETURNS(-EOPNOTSUPP, add->xfer_modes = 0);
	ADD_RETURNS(-EOPNOTSUPP, add->xfer_modes = 1ULL << 63);
	ADD_RETURNS(-EINVAL, add->reserved = 1);
	ADD_RETURNS(-EINVAL, add->params.reserved[1] = 1);
	ADD_RETURNS(-EINVAL, add->params.reserved0 = 1);
	ADD_RETURNS(-EINVAL, add->params.recovery = UBDX_RECOVERY_REISSUE + 1);
	ADD_RETURNS(-EINVAL, add->id = -2);
	ADD_RETURNS(-EINVAL, add->id = 1 << 30);
	ADD_RETURNS(-EINVAL, add->params.depth = UBDX_MAX_DEPTH + 1);
	ADD_RETURNS(-EINVAL, add->params.nr_queues = 100000);
	ADD_RETURNS(-EINVAL, add->params.max_io_bytes = UBDX_MAX_IO_BYTES + 4096);
	ADD_RETURNS(-EINVAL, add->params.max_io_bytes = 4097);
	ADD_RETURNS(-EINVAL, add->params.logical_block_size = 8192);
	ADD_RETURNS(-EINVAL, add->params.logical_block_size = 513);
	ADD_RETURNS(-EINVAL, add->params.physical_block_size = 256);
	ADD_RETURNS(-EINVAL, add->params.io_min = 100);
	ADD_RETURNS(-EINVAL, add->params.io_min = 4294966784U);
	ADD_RETURNS(-EINVAL, (add->params.max_io_bytes = 1 << 20, add->params.io_min = 2 << 20));
	ADD_RETURNS(0, (add->params.max_io_bytes = 1 << 20, add->params.io_min = 1 << 20));
	ADD_RETURNS(-EINVAL, add->params.discard_granularity = 3 << 20);
	/*
	 * Otherwise DISCARDs of any length could come: the block layer doesn't split a request at
	 * less than a physical block.
	 */
	ADD_RETURNS(-EINVAL,
		    (add->params.physical_block_size = 4096, add->params.max_discard_sectors = 7));
	ADD_RETURNS(-EINVAL, add->params.dma_alignment = 2);
	ADD_RETURNS(-EINVAL, add->params.dma_alignment = 8191);
	ADD_RETURNS(-EINVAL, add->params.max_segments = 65536);
	ADD_RETURNS(-EINVAL, add->params.max_segment_size = 512);
	ADD_RETURNS(-EINVAL, add->params.dev_sectors = 0);
	ADD_RETURNS(-EINVAL, add->params.dev_sectors = ~0ULL);
	ADD_RETURNS(-EINVAL, (add->params.logical_block_size = 4096, add->params.dev_sectors = 9));
	ADD_RETURNS(-EINVAL, add->params.timeout_ms = 999);
	ADD_RETURNS(-EINVAL, add->params.attrs = 1U << 31);
	ADD_RETURNS(-EINVAL, add->params.attrs = UBDX_ATTR_FUA);
	ADD_RETURNS(-EINVAL, add->params.numa_node = 4000);
	ADD_RETURNS(-EINVAL, add->params.numa_node = -2);
	ADD_RETURNS(0, add->params.depth = UBDX_MAX_DEPTH);
	ADD_RETURNS(0, add->params.max_io_bytes = UBDX_MAX_IO_BYTES);
	ADD_RETURNS(0, add->params.logical_block_size = 4096);

	raw_defaults(&raw);
	raw.add.id = 7;
	is(raw_add(&raw), 0, "ADD takes the number asked for");
	is(raw.add.params.timeout_ms, 30000, "ADD fills in defaults");
	raw_defaults(&other);
	other.add.id = 7;
	is(raw_add(&other), -EEXIST, "a number that is taken is refused");
	is(ioctl(raw.ctl, UBDX_IOC_FEATURES, &features) ?: (int)features.nr_devices, 1,
	   "FEATURES counts the devices");
	is(raw_ctl(&raw, UBDX_IOC_START, 0), -EPERM, "START without a server is refused");
	is(raw_ctl(&raw, UBDX_IOC_STOP, UBDX_CTL_LAST_CLOSE << 1), -EINVAL,
	   "an unknown flag is refused");
	is(raw_ctl(&raw, UBDX_IOC_DEL, UBDX_CTL_FORCE | UBDX_CTL_IN_USE), -EINVAL,
	   "and so are two at once");
	is(raw_ctl(&raw, UBDX_IOC_STOP, UBDX_CTL_LAST_CLOSE), -EINVAL, "STOP with a flag of DEL");
	ctl = (struct ubdx_ctl){ .id = 7, .flags = UBDX_CTL_FORCE, .timeout_ms = 1 };
	is(ioctl(raw.ctl, UBDX_IOC_DEL, &ctl) < 0 ? -errno : 0, -EINVAL,
	   "DEL with a time limit and UBDX_CTL_FORCE");
	set = (struct ubdx_set){ .id = 7, .xfer = 77 };
	is(ioctl(raw.ctl, UBDX_IOC_SET, &set) < 0 ? -errno : 0, -EINVAL,
	   "SET of an unknown mode is refused");
	set.xfer = UBDX_XFER_COPY;
	is(ioctl(raw.ctl, UBDX_IOC_SET, &set) < 0 ? -errno : 0, 0, "SET of copy pins it");
	is(raw_ctl(&raw, UBDX_IOC_DEL, 0), 0, "DEL of a device that was never started");
	is(raw_ctl(&raw, UBDX_IOC_DEL, 0), -ENODEV, "DEL of no device");
	is(ioctl(raw.ctl, _IO(0xBD, 0x3f)) < 0 ? -errno : 0, -ENOTTY, "an unknown ioctl");
	is(ioctl(raw.ctl, UBDX_IOC_ADD, (void *)8) < 0 ? -errno : 0, -EFAULT,
	   "an argument at an unmapped address");
	close(raw.ctl);
	close(other.ctl);
}

/* ---- the description of the target ---- */

static const struct ubdx_target_info a_file = {
	.token = { 17, ~0ULL },
	.target = "loop",
	.serial = "tape-7",
	.text = "/tmp/\033[2J",
};

static int set_target_info(const struct raw *raw, void (*change)(struct ubdx_target_info *b))
{
	struct ubdx_target_info b = a_file;

	b.id = raw->add.id;
	change(&b);
	return ioctl(raw->ctl, UBDX_IOC_SET_TARGET_INFO, &b) ? -errno : 0;
}

#define TARGET_INFO(want, change)                                                   \
	do {                                                                        \
		void fn(struct ubdx_target_info *b)                                 \
		{                                                                   \
			change;                                                     \
		}                                                                   \
		is(set_target_info(&s.raw, fn), want, "SET_TARGET_INFO, " #change); \
	} while (0)

static bool has_target_info(const struct raw *raw, const struct ubdx_target_info *want)
{
	struct ubdx_target_info b = { .id = raw->add.id }, w = *want;

	w.id = b.id;
	return !ioctl(raw->ctl, UBDX_IOC_GET_TARGET_INFO, &b) && !memcmp(&b, &w, sizeof(b));
}

/* The partition scan reads the device after START. */
static int32_t answer_all(struct raw_queue *q, const struct ubdx_desc *desc, char *buf)
{
	return desc->op <= UBDX_OP_WRITE ? desc->nr_sectors << 9 : 0;
}

static void target_info(void)
{
	static const struct ubdx_target_info none;
	struct ubdx_target_info b = { .id = 77 };
	struct raw_server s;
	int status;

	raw_defaults(&s.raw);
	raw_server_begin(&s, answer_all);
	ok(has_target_info(&s.raw, &none), "GET_TARGET_INFO before SET_TARGET_INFO: zeroes");
	is(ioctl(s.raw.ctl, UBDX_IOC_GET_TARGET_INFO, &b) ? -errno : 0, -ENODEV, "of no device");
	TARGET_INFO(-ENODEV, b->id = 77);
	TARGET_INFO(-EINVAL, b->reserved = 1);
	TARGET_INFO(-EINVAL, b->target[0] = '\0');
	TARGET_INFO(-EINVAL, memset(b->target, 'x', sizeof(b->target)));
	TARGET_INFO(-EINVAL, strcpy(b->target, "a b"));
	TARGET_INFO(-EINVAL, memset(b->serial, 'x', sizeof(b->serial)));
	TARGET_INFO(-EINVAL, strcpy(b->serial, "../x"));
	TARGET_INFO(-EINVAL, strcpy(b->serial, "\xc3\xa4"));
	TARGET_INFO(-EINVAL, memset(b->text, 'x', sizeof(b->text)));
	if (!fork()) {
		struct ubdx_target_info mine = a_file;

		mine.id = s.raw.add.id;
		_exit(ioctl(s.raw.ctl, UBDX_IOC_SET_TARGET_INFO, &mine) ? errno : 0);
	}
	wait(&status);
	is(WEXITSTATUS(status), EPERM, "SET_TARGET_INFO by another process");
	TARGET_INFO(0, strcpy(b->text, "never mind"));
	TARGET_INFO(0, (void)b);
	ok(has_target_info(&s.raw, &none), "before START it doesn't count");
	is(raw_ctl(&s.raw, UBDX_IOC_START, 0), 0, "START");
	ok(has_target_info(&s.raw, &a_file), "then it does");
	TARGET_INFO(-EBUSY, (void)b);
	raw_server_stop(&s);
}

/* ---- who may do what ---- */

struct other_task {
	struct raw_queue *q;
	int ret;
};

/* A thread of the same process with a ring of its own. */
static void *other_thread(void *arg)
{
	struct other_task *t = arg;
	struct raw_queue q = *t->q;

	io_uring_queue_init(8, &q.ring, 0);
	t->ret = raw_fetch(&q, 0, 1, q.buf, 0, 0);
	io_uring_queue_exit(&q.ring);
	return NULL;
}

static void ownership(void)
{
	struct ubdx_ctl ctl;
	struct other_task task;
	struct raw_queue q, q2;
	struct raw raw;
	pthread_t thread;
	unsigned int tag;
	char path[32];
	int status;
	void *map;

	raw_defaults(&raw);
	if (raw_add(&raw) || raw_open(&raw))
		bail("add");
	snprintf(path, sizeof(path), "/dev/ubdxc%d", raw.add.id);
	is(open(path, O_RDWR) < 0 ? -errno : 0, -EBUSY, "a second server is refused");

	map = mmap(NULL, 4096, PROT_READ | PROT_WRITE, MAP_SHARED, raw.chan, 0);
	is(map == MAP_FAILED ? -errno : 0, -EPERM, "descriptors can't be mapped writable");
	map = mmap(NULL, 4096, PROT_READ | PROT_EXEC, MAP_SHARED, raw.chan, 0);
	is(map == MAP_FAILED ? -errno : 0, -EPERM, "nor executable");
	map = mmap(NULL, 4096, PROT_READ, MAP_SHARED, raw.chan, UBDX_MMAP_QUEUE_STRIDE);
	is(map == MAP_FAILED ? -errno : 0, -EINVAL, "descriptors of a queue that isn't there");
	map = mmap(NULL, 4096, PROT_READ, MAP_SHARED, raw.chan, UBDX_MMAP_QUEUE_STRIDE << 16);
	is(map == MAP_FAILED ? -errno : 0, -EINVAL, "nor of one whose number ends in 16 zero bits");
	map = mmap(NULL, 8192, PROT_READ, MAP_SHARED, raw.chan, 0);
	is(map == MAP_FAILED ? -errno : 0, -EINVAL, "more than the descriptors");
	is(raw_queue_init(&raw, &q, 0), 0, "descriptors can be mapped for reading");
	is(mprotect((void *)q.desc, 4096, PROT_READ | PROT_WRITE) ? -errno : 0, -EACCES,
	   "and not be made writable later");

	is(raw_fetch(&q, 0, 0, q.buf, 0, 0), -EPERM, "FETCH before ATTACH");
	is(raw_attach(&q, 1, 0), -EINVAL, "ATTACH to a queue that isn't there");
	is(raw_attach(&q, 0, 1), -EINVAL, "ATTACH with a reserved field set");
	is(raw_attach(&q, 0, 0), -EINPROGRESS, "ATTACH is parked");
	is(raw_attach(&q, 0, 0), -EBUSY, "a second ATTACH");
	is(raw_fetch(&q, 1, 0, q.buf, 0, 0), -EINVAL, "FETCH for a queue that isn't there");
	is(raw_fetch(&q, 0xffff, 0, q.buf, 0, 0), -EINVAL, "FETCH for queue 65535");
	is(raw_fetch(&q, 0, 16, q.buf, 0, 0), -EINVAL, "FETCH for a tag that isn't there");
	is(raw_fetch(&q, 0, 0, q.buf, 1, 0), -EINVAL, "FETCH with a reserved field set");
	is(raw_fetch(&q, 0, 0, q.buf, 0, IOSQE_ASYNC), -EOPNOTSUPP, "FETCH from io-wq");
	is(raw_fetch(&q, 0, 0, q.buf, 0, 0), -EINPROGRESS, "FETCH is parked");
	is(raw_fetch(&q, 0, 0, q.buf, 0, 0), -EBUSY, "a second FETCH of the tag");
	is(raw_ctl(&raw, UBDX_IOC_START, 0), -EAGAIN, "START before every tag is fetched");
	is(raw_ctl(&raw, UBDX_IOC_START, UBDX_CTL_IN_USE), -EINVAL, "START with a flag of DEL");
	is(raw_ctl(&raw, UBDX_IOC_QUIESCE, UBDX_CTL_FORCE), -EINVAL, "QUIESCE with a flag of DEL");
	is(raw_ctl(&raw, UBDX_IOC_DEL, UBDX_CTL_LAST_CLOSE << 1), -EINVAL,
	   "DEL with an unknown flag");
	is(raw_own(&raw, UBDX_IOC_DEL, UBDX_CTL_LAST_CLOSE << 1), -EINVAL,
	   "the same on the channel");
	is(raw_own(&raw, UBDX_IOC_START, 0), -ENOTTY, "START on the channel");
	ctl = (struct ubdx_ctl){ .id = raw.add.id + 1 };
	is(ioctl(raw.chan, UBDX_IOC_DEL, &ctl) < 0 ? -errno : 0, -EINVAL,
	   "DEL on the channel of another number");
	is(ioctl(raw.chan, UBDX_IOC_DEL, (void *)8) < 0 ? -errno : 0, -EFAULT,
	   "an argument at an unmapped address, on the channel");

	q2 = q;
	io_uring_queue_init(8, &q2.ring, 0);
	is(raw_fetch(&q2, 0, 1, q.buf, 0, 0), -EPERM, "FETCH from another ring of the task");
	is(raw_commit(&q2, 0, 0, 1, 4096, 0), -EPERM, "COMMIT from another ring of the task");
	is(raw_attach(&q2, 0, 0), -EBUSY, "ATTACH from another ring of the task");
	io_uring_queue_exit(&q2.ring);

	task.q = &q;
	pthread_create(&thread, NULL, other_thread, &task);
	pthread_join(thread, NULL);
	is(task.ret, -EPERM, "FETCH from another thread");

	if (fork() == 0) {
		task.q = &q;
		other_thread(&task);
		map = mmap(NULL, 4096, PROT_READ, MAP_SHARED, raw.chan, 0);
		io_uring_queue_init(8, &q2.ring, 0);
		_exit((task.ret == -EPERM) | (map == MAP_FAILED && errno == EPERM) << 1 |
		      (raw_ctl(&raw, UBDX_IOC_START, 0) == -EPERM) << 2 |
		      (raw_attach(&q2, 0, 0) == -EPERM) << 3 |
		      (raw_own(&raw, UBDX_IOC_DEL, 0) == -EPERM &&
		       raw_own(&raw, UBDX_IOC_DEL, UBDX_CTL_FORCE) == -EPERM &&
		       raw_own(&raw, UBDX_IOC_STOP, 0) == -EPERM)
			      << 4);
	}
	wait(&status);
	status = WEXITSTATUS(status);
	ok(status & 1, "FETCH from a forked child is refused");
	ok(status & 2, "mmap from a forked child is refused");
	ok(status & 4, "START from a forked child is refused");
	ok(status & 8, "ATTACH from a forked child is refused");
	ok(status & 16, "STOP and DEL of one's own device from a forked child are refused");

	is(raw_commit(&q, 0, 0, 0, 4096, 0), -ESTALE, "COMMIT of nothing");
	for (tag = 1; tag < q.depth; tag++)
		if (raw_fetch(&q, 0, tag, q.buf + (size_t)tag * RAW_BUF_BYTES, 0, 0) !=
		    -EINPROGRESS)
			bail("fetch");
	is(raw_ctl(&raw, UBDX_IOC_START, 0), 0, "START when every tag is fetched");
	is(raw_ctl(&raw, UBDX_IOC_START, 0), -EBUSY, "a second START");

	is(raw_own(&raw, UBDX_IOC_DEL, UBDX_CTL_FORCE), 0, "a forced DEL on the channel");
	is(raw_own(&raw, UBDX_IOC_DEL, UBDX_CTL_FORCE), -ENODEV, "a second one");
	for (tag = 0; tag < q.depth + 1 && raw_next(&q) == -ENODEV; tag++)
		;
	is(tag, q.depth + 1, "and every parked command, ATTACH's too, comes back with ENODEV");
	raw_queue_exit(&q);
	close(raw.chan);
	close(raw.ctl);
}

/* ---- answers ---- */

static atomic_int how_much; /* READ, WRITE: bytes per answer; <= 0: the answer, 0 or -errno */
static atomic_int commit_stale, commit_foreign, commit_flags;
static atomic_int commit_twice; /* 1 + the flags of the first commit; 0: commit once */
static atomic_int twice_ret, stale_ret, foreign_ret, flags_ret;
static atomic_int no_memory; /* the number of answers that are -ENOMEM */
static atomic_int discards; /* the number of DISCARDs that came */
static atomic_ullong flush_sector = 1; /* sector plus length of the last FLUSH */
static char stored[1 << 20];

static int32_t answer(struct raw_queue *q, const struct ubdx_desc *desc, char *buf)
{
	unsigned int bytes = desc->nr_sectors * 512, limit = atomic_load(&how_much);
	size_t at = desc->sector * 512;
	int32_t res = (int32_t)limit <= 0 ? (int32_t)limit :
					    (int32_t)(limit < bytes ? limit : bytes);
	int twice;

	if (atomic_exchange(&commit_stale, 0))
		stale_ret = raw_commit(q, 0, desc->tag, desc->seq - 1, bytes, 0);
	if (commit_flags)
		flags_ret = raw_commit(q, 0, desc->tag, desc->seq, bytes,
				       atomic_exchange(&commit_flags, 0));
	if (atomic_exchange(&commit_foreign, 0))
		foreign_ret = raw_commit(q, 0, (desc->tag + 1) % q->depth, desc->seq, bytes, 0);

	if (desc->op == UBDX_OP_FLUSH)
		atomic_store(&flush_sector, desc->sector + desc->nr_sectors);
	discards += desc->op == UBDX_OP_DISCARD;
	if (no_memory) {
		no_memory--;
		return -ENOMEM;
	}
	if (desc->op != UBDX_OP_READ && desc->op != UBDX_OP_WRITE)
		return (int32_t)limit <= 0 ? (int32_t)limit : 0;
	if (at + bytes > sizeof(stored))
		return bytes;
	if (res > 0 && desc->op == UBDX_OP_WRITE)
		memcpy(stored + at, buf, res);
	if (desc->op == UBDX_OP_READ) {
		/* old memory must not be visible */
		memset(buf, 0x5a, bytes);
		if (res > 0)
			memcpy(buf, stored + at, res);
	}
	twice = atomic_exchange(&commit_twice, 0);
	if (twice) {
		uint32_t seq = desc->seq;
		unsigned int tag = desc->tag;

		raw_commit(q, 0, tag, seq, res, twice - 1);
		twice_ret = raw_commit(q, 0, tag, seq, res, 0);
		return RAW_HOLD;
	}
	return res;
}

static int io(int fd, bool write, void *mem, size_t bytes, off_t at)
{
	ssize_t n = write ? pwrite(fd, mem, bytes, at) : pread(fd, mem, bytes, at);

	return n < 0 ? -errno : (int)n;
}

static void await_twice(void)
{
	within(10, twice_ret != 1);
}

static void answers(void)
{
	size_t bytes = 128 << 10, i;
	struct raw_server s;
	char *mem, *want;
	int fd;

	mem = raw_mem(bytes);
	want = raw_mem(bytes);
	for (i = 0; i < bytes; i++)
		want[i] = (char)(i * 7 + (i >> 9));

	raw_defaults(&s.raw);
	s.raw.add.params.attrs = UBDX_ATTR_WRITE_CACHE;
	s.raw.add.params.max_discard_sectors = 1024;
	how_much = INT32_MAX;
	raw_server_start(&s, answer);
	fd = raw_bdev(&s.raw, O_RDWR);

	memcpy(mem, want, bytes);
	is(io(fd, true, mem, bytes, 0), bytes, "a WRITE served whole");
	ok(!memcmp(stored, want, bytes), "arrives whole");
	memset(mem, 0, bytes);
	is(io(fd, false, mem, bytes, 0), bytes, "a READ served whole");
	ok(!memcmp(mem, want, bytes), "arrives whole");

	how_much = 5000; /* no multiple of the block size: counts as 4608 */
	memset(stored, 0, sizeof(stored));
	memcpy(mem, want, bytes);
	is(io(fd, true, mem, bytes, 0), bytes, "a WRITE served in short pieces ends whole");
	ok(!memcmp(stored, want, bytes), "and arrives whole");
	memset(mem, 0, bytes);
	is(io(fd, false, mem, bytes, 0), bytes, "a READ served in short pieces ends whole");
	ok(!memcmp(mem, want, bytes), "and shows nothing that wasn't served");

	how_much = 511;
	is(io(fd, false, mem, 4096, 0), -EIO, "a READ answered with less than a block fails");
	is(io(fd, true, mem, 4096, 0), -EIO, "a WRITE answered with less than a block fails");
	how_much = 0;
	is(io(fd, false, mem, 4096, 0), -EIO, "a READ answered with 0 fails");
	is(io(fd, true, mem, 4096, 0), -EIO, "a WRITE answered with 0 fails");
	how_much = -ENOSPC;
	is(io(fd, true, mem, 4096, 0), -ENOSPC, "the server's errno reaches the writer");
	how_much = -EAGAIN;
	is(io(fd, false, mem, 4096, 0), -EIO, "EAGAIN doesn't, it would be retried for ever");
	how_much = INT32_MIN + 1;
	is(io(fd, false, mem, 4096, 0), -EIO, "a number that is no errno is EIO");
	how_much = -EIO;
	is(fsync(fd) ? -errno : 0, -EIO, "a FLUSH can fail");

	how_much = INT32_MAX;
	is(fsync(fd) ? -errno : 0, 0, "a FLUSH can succeed");
	is(atomic_load(&flush_sector), 0, "it is for no sector");
	is(io(fd, false, mem, bytes, 0), bytes, "and the device works on");
	ok(!memcmp(mem, want, bytes), "with the data that it had");

	commit_stale = 1;
	is(io(fd, false, mem, 4096, 0), 4096, "a READ with a stale commit before the right one");
	is(stale_ret, -ESTALE, "the stale one is refused");
	commit_foreign = 1;
	is(io(fd, false, mem, 4096, 0), 4096, "a READ with a commit for another tag before it");
	is(foreign_ret, -ESTALE, "the other one is refused");
	for (i = 1; i < 32; i++) {
		if (1U << i == UBDX_COMMIT_FORWARD)
			continue;
		commit_flags = 1U << i | UBDX_COMMIT_MORE;
		flags_ret = 0;
		if (io(fd, false, mem, 4096, 0) != 4096 || flags_ret != -EINVAL)
			break;
	}
	is(i, 32, "a commit with an unknown flag is refused, and the next commit counts");
	commit_twice = twice_ret = 1;
	is(io(fd, false, mem, 4096, 0), 4096, "a READ committed twice");
	await_twice(); /* the second commit comes after the READ has ended */
	is(twice_ret, -ESTALE, "the second commit is refused");
	twice_ret = 1;
	commit_twice = 1 + UBDX_COMMIT_MORE;
	is(io(fd, false, mem, 4096, 0), 4096,
	   "a READ ends though its commit promises another, which is refused");
	await_twice();
	is(twice_ret, -ESTALE, "it was refused");
	no_memory = 3;
	is(io(fd, false, mem, 4096, 0), 4096, "a READ answered with ENOMEM comes again");
	is(no_memory, 0, "until it is served");
	how_much = -EOPNOTSUPP;
	discards = 0;
	/* the block layer ends the first DISCARD without an error */
	ioctl(fd, BLKDISCARD, (uint64_t[]){ 0, 65536 });
	for (i = 0; i < 2; i++)
		is(ioctl(fd, BLKDISCARD, (uint64_t[]){ 0, 65536 }) ? -errno : 0, -EOPNOTSUPP,
		   "a DISCARD that the server doesn't support");
	is(discards, 1, "isn't sent again");
	close(fd);
	raw_server_stop(&s);
	ok(raw_gone(&s.raw, 5), "the block device is gone");
}

/* An answer with more bytes than requested, from a server that otherwise keeps the rules. */
static int32_t answer_too_much(struct raw_queue *q, const struct ubdx_desc *desc, char *buf)
{
	if (desc->op == UBDX_OP_FLUSH)
		return 1;
	if (desc->sector >= 8) /* the kernel's partition scan reads the start */
		return desc->nr_sectors * 512 + 512;
	memset(buf, 0, desc->nr_sectors * 512);
	return desc->nr_sectors * 512;
}

/* A server whose buffers are at addresses that the process can't access. */
static void *no_buffer_thread(void *arg)
{
	struct raw_server *s = arg;
	struct raw_queue *q = &s->queue;
	unsigned int tag;

	s->ready = raw_queue_init(&s->raw, q, 0);
	if (!s->ready && raw_attach(q, 0, 0) != -EINPROGRESS)
		s->ready = -EIO;
	for (tag = 0; !s->ready && tag < q->depth; tag++)
		if (raw_fetch(q, 0, tag, (void *)(uintptr_t)(tag % 2 ? 0xffff888000000000 : 0x10),
			      0, 0) != -EINPROGRESS)
			s->ready = -EIO;
	pthread_barrier_wait(&s->barrier);
	raw_serve(q, s->answer);
	raw_queue_exit(q);
	return NULL;
}

static void lies(void)
{
	char *mem = raw_mem(65536), *poison = raw_mem(65536);
	struct raw_server s;
	int fd;

	raw_defaults(&s.raw);
	s.raw.add.params.attrs = UBDX_ATTR_WRITE_CACHE;
	raw_server_start(&s, answer_too_much);
	fd = raw_bdev(&s.raw, O_RDWR);
	is(io(fd, false, mem, 4096, 65536), -EIO,
	   "a READ answered with more than it asked for fails");
	is(io(fd, true, mem, 4096, 65536), -EIO, "and so does a WRITE");
	is(fsync(fd) ? -errno : 0, -EIO, "and a FLUSH answered with a number of bytes");
	close(fd);
	raw_server_stop(&s);

	raw_defaults(&s.raw);
	s.answer = answer;
	how_much = INT32_MAX;
	if (raw_add(&s.raw) || raw_open(&s.raw))
		bail("add");
	pthread_barrier_init(&s.barrier, NULL, 2);
	pthread_create(&s.thread, NULL, no_buffer_thread, &s);
	pthread_barrier_wait(&s.barrier);
	if (s.ready)
		bail("fetch without a buffer");
	s.answer = answer_too_much; /* doesn't use the buffer for high sectors */
	if (raw_ctl(&s.raw, UBDX_IOC_START, 0))
		bail("start");
	fd = raw_bdev(&s.raw, O_RDWR);
	memset(poison, 0xa5, 65536);
	memcpy(mem, poison, 65536);
	is(io(fd, true, mem, 65536, 1 << 20), -EIO, "a WRITE to a buffer that isn't there fails");
	is(io(fd, false, mem, 65536, 1 << 20), -EIO, "a READ from one fails");
	ok(!memcmp(mem, poison, 65536), "and leaves the reader's memory alone");
	is(io(fd, true, mem, 4096, 2 << 20), -EIO, "again");
	close(fd);
	raw_server_stop(&s);
}

/* Invariant 3: the server sees no byte outside the request. */
static char seen[8192];

static int32_t answer_look(struct raw_queue *q, const struct ubdx_desc *desc, char *buf)
{
	unsigned int bytes = desc->nr_sectors * 512;

	if (desc->op == UBDX_OP_WRITE) {
		memcpy(seen, buf, sizeof(seen));
		return bytes;
	}
	memset(buf, 0x77, RAW_BUF_BYTES);
	return bytes;
}

static void bounds(void)
{
	char *mem = raw_mem(8192);
	struct raw_server s;
	size_t i, outside = 0;
	int fd;

	raw_defaults(&s.raw);
	raw_server_start(&s, answer_look);
	fd = raw_bdev(&s.raw, O_RDWR);
	/* fills every tag's buffer with 0x77 */
	for (i = 0; i < 64; i++)
		io(fd, false, mem, 512, 1 << 20);
	memset(mem, 0x11, 8192);
	is(io(fd, true, mem + 1024, 512, 1 << 20), 512, "a WRITE of one block from inside a page");
	for (i = 512; i < sizeof(seen); i++)
		outside += seen[i] == 0x11;
	ok(seen[0] == 0x11 && seen[511] == 0x11, "arrives");
	is(outside, 0, "and nothing of the rest of the page");
	memset(mem, 0x11, 8192);
	is(io(fd, false, mem + 1024, 512, 1 << 20), 512, "a READ of one block");
	ok(mem[1024] == 0x77 && mem[1535] == 0x77 && mem[1023] == 0x11 && mem[1536] == 0x11,
	   "changes that block and nothing around it");
	close(fd);
	raw_server_stop(&s);
}

int main(void)
{
	control();
	target_info();
	ownership();
	answers();
	lies();
	bounds();
	return done();
}
