// SPDX-License-Identifier: MIT OR LGPL-2.1
/*
 * loop.c - target `loop`: a regular file or a block device. The device's sectors lie at the same
 * offsets in the file, so each request is one extent.
 *
 * The file stays open as long as the target. Its size should not change meanwhile: READs, WRITEs
 * and WRITE_ZEROES beyond a new end fail with EIO, and none extends the file. A block device is
 * opened exclusively, so nobody can mount it.
 */
#include <errno.h>
#include <fcntl.h>
#include <linux/fs.h>
#include <poll.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/file.h>
#include <sys/ioctl.h>
#include <sys/stat.h>
#include <sys/sysmacros.h>
#include <unistd.h>

#include "targets.h"

/*
 * @path:	borrowed; valid only while the target is being opened.
 * @node:	path in /proc of the inode that was checked; @path may name another inode by then.
 *		Valid only in ubdx_loop_open_file().
 * @bytes:	length of the file.
 * @block:	smallest unit of I/O to it.
 * @looks:	UBDX_TARGET_LOOK: take no lock and no O_EXCL, as another process may have them.
 * @cached:	the file has a volatile cache: data that was written is stable only after a flush.
 * @sync:	each write to the file must be stable when it ends, because the device has no cache.
 * @unmap:	zeroing may deallocate.
 */
struct ubdx_loop {
	const char *path;
	char node[32];
	int fd;
	bool is_block;
	bool direct;
	bool read_only;
	bool looks;
	bool cached;
	bool sync;
	bool unmap;
	dev_t rdev;
	dev_t dev;
	ino_t ino;
	uint64_t bytes;
	uint32_t block;
};

/* An attribute of a block device's queue, also if it is a partition; NULL if there is none. */
static const char *ubdx_loop_queue_attr(const struct ubdx_loop *loop, const char *name, char *text,
					size_t size)
{
	static const char *const queues[] = { "queue", "../queue" };
	unsigned int i;
	char path[128];

	for (i = 0; i < ARRAY_SIZE(queues); i++) {
		FILE *file;
		char *ok;

		snprintf(path, sizeof(path), "/sys/dev/block/%u:%u/%s/%s", major(loop->rdev),
			 minor(loop->rdev), queues[i], name);
		file = fopen(path, "re");
		if (!file)
			continue;
		ok = fgets(text, size, file);
		fclose(file);
		if (!ok)
			continue;
		text[strcspn(text, "\n")] = '\0';
		return text;
	}
	return NULL;
}

static uint64_t ubdx_loop_queue_number(const struct ubdx_loop *loop, const char *name)
{
	char text[32];

	return ubdx_loop_queue_attr(loop, name, text, sizeof(text)) ? strtoull(text, NULL, 10) : 0;
}

/* ---- open ---- */

static bool ubdx_loop_is_cached(const struct ubdx_loop *loop)
{
	char text[32];
	const char *cache;

	/*
	 * Without O_DIRECT the page cache is a volatile cache. A file system writes metadata later,
	 * even with O_DIRECT.
	 */
	if (!loop->direct || !loop->is_block)
		return true;
	cache = ubdx_loop_queue_attr(loop, "write_cache", text, sizeof(text));
	return !cache || strcmp(cache, "write through");
}

/* Find the process that has locked the file. Returns 0 if /proc/locks does not show the lock. */
static int ubdx_loop_lock_holder(const struct ubdx_loop *loop)
{
	FILE *locks = fopen("/proc/locks", "re");
	int pid, found = 0;
	char line[128], where[64];

	if (!locks)
		return 0;
	snprintf(where, sizeof(where), "%02x:%02x:%llu", major(loop->dev), minor(loop->dev),
		 (unsigned long long)loop->ino);
	while (!found && fgets(line, sizeof(line), locks)) {
		char holder[64];

		/* A waiter has "->" after the number; it holds nothing. */
		if (sscanf(line, "%*d: FLOCK %*s %*s %d %63s", &pid, holder) == 2 && pid > 0 &&
		    !strcmp(holder, where))
			found = pid;
	}
	fclose(locks);
	return found;
}

static int ubdx_loop_locked(const struct ubdx_loop *loop)
{
	int holder = ubdx_loop_lock_holder(loop);
	char path[32], name[32] = "";
	FILE *file;

	if (!holder)
		return ubdx_fail(-EBUSY, "%s is in use: another process has locked it", loop->path);
	snprintf(path, sizeof(path), "/proc/%d/comm", holder);
	file = fopen(path, "re");
	if (file && fgets(name, sizeof(name), file))
		name[strcspn(name, "\n")] = '\0';
	if (file)
		fclose(file);
	return ubdx_fail(-EBUSY, "%s is in use: process %d (%s) has locked it", loop->path, holder,
			 name[0] ? name : "which has exited");
}

static int ubdx_loop_open_failed(const struct ubdx_loop *loop, int err)
{
	if (err == -EBUSY && !loop->is_block)
		return ubdx_loop_locked(loop);
	if (err == -EBUSY)
		return ubdx_fail(err, "%s is in use; unmount or release it first", loop->path);
	if (err == -EINVAL && loop->direct)
		return ubdx_fail(err, "%s: its file system has no direct I/O", loop->path);
	if (err == -EROFS)
		return ubdx_fail(err, "%s: %m; make the device read-only too", loop->path);
	return ubdx_fail(err, "%s: %m", loop->path);
}

/*
 * Open the file, and keep other servers out: by O_EXCL for a block device, by a lock for a file.
 * Read-only servers share a file. If locking fails for another reason than another process's lock,
 * for example because the file system has no locks, the file is served without a lock. O_EXCL and
 * the lock last until the last I/O to the open file has ended, even if the server was killed. So
 * when the next server has opened the file, no late write of the killed server can reach it.
 */
static int ubdx_loop_try(struct ubdx_loop *loop, int flags)
{
	loop->fd = open(loop->node, flags);
	if (loop->fd < 0)
		return -errno;
	if (loop->is_block || loop->looks ||
	    !flock(loop->fd, (loop->read_only ? LOCK_SH : LOCK_EX) | LOCK_NB) ||
	    errno != EWOULDBLOCK)
		return 0;
	close(loop->fd);
	return -EBUSY;
}

#define UBDX_LOOP_POLL_MS 10

static int ubdx_loop_take(struct ubdx_loop *loop, int flags, uint32_t wait_ms)
{
	int ret;

	for (;;) {
		ret = ubdx_loop_try(loop, flags);
		if (ret != -EBUSY || wait_ms < UBDX_LOOP_POLL_MS)
			break;
		wait_ms -= UBDX_LOOP_POLL_MS;
		poll(NULL, 0, UBDX_LOOP_POLL_MS);
	}
	return ret ? ubdx_loop_open_failed(loop, ret) : 0;
}

static int ubdx_loop_open_node(struct ubdx_loop *loop, const struct ubdx_target_config *config)
{
	int flags = O_CLOEXEC | (loop->read_only ? O_RDONLY : O_RDWR);

	loop->cached = ubdx_loop_is_cached(loop);
	loop->sync = loop->cached && config->write_cache == 0;
	if (loop->is_block && !loop->looks)
		flags |= O_EXCL;
	if (loop->direct)
		flags |= O_DIRECT;
	if (loop->sync)
		flags |= O_DSYNC;
	return ubdx_loop_take(loop, flags, config->wait_ms);
}

/* Identify a block device by its number, a file by its file system and inode number. */
static void ubdx_loop_identify(struct ubdx_loop *loop, const struct stat *st,
			       struct ubdx_target *target)
{
	ssize_t len;

	loop->is_block = S_ISBLK(st->st_mode);
	loop->rdev = st->st_rdev;
	loop->dev = st->st_dev;
	loop->ino = st->st_ino;
	target->token[0] = loop->is_block ? st->st_rdev : st->st_dev;
	target->token[1] = loop->is_block ? 0 : st->st_ino;
	len = readlink(loop->node, target->where, sizeof(target->where) - 1);
	target->where[len < 0 ? 0 : len] = '\0';
}

/*
 * Check the kind of file before opening it: opening a pipe or a device can block or have side
 * effects. Then open the same inode, because the path may name another one by then.
 */
static int ubdx_loop_open_file(struct ubdx_loop *loop, const struct ubdx_target_config *config,
			       struct ubdx_target *target)
{
	int ret, fd = open(loop->path, O_PATH | O_CLOEXEC);
	struct stat st;

	if (fd < 0)
		return ubdx_fail(-errno, "%s: %m", loop->path);
	snprintf(loop->node, sizeof(loop->node), "/proc/self/fd/%d", fd);
	if (fstat(fd, &st)) {
		ret = ubdx_fail(-errno, "%s: %m", loop->path);
	} else if (!S_ISREG(st.st_mode) && !S_ISBLK(st.st_mode)) {
		ret = ubdx_fail(-EINVAL, "%s is neither a regular file nor a block device",
				loop->path);
	} else {
		ubdx_loop_identify(loop, &st, target);
		ret = ubdx_loop_open_node(loop, config);
	}
	close(fd);
	return ret;
}

static int ubdx_loop_measure(struct ubdx_loop *loop)
{
	struct stat st;
	unsigned int block = UBDX_SECTOR_SIZE;

	if (loop->is_block) {
		if (ioctl(loop->fd, BLKGETSIZE64, &loop->bytes) ||
		    ioctl(loop->fd, BLKSSZGET, &block))
			return ubdx_fail(-errno, "%s: asking for its size: %m", loop->path);
	} else {
		if (fstat(loop->fd, &st))
			return ubdx_fail(-errno, "%s: asking for its size: %m", loop->path);
		loop->bytes = st.st_size;
	}
	loop->block = block;
	return 0;
}

/* Direct I/O may need larger blocks, so that offsets are aligned. Buffers are aligned already. */
static int ubdx_loop_direct_block(struct ubdx_loop *loop)
{
	struct statx stx;

	if (statx(loop->fd, "", AT_EMPTY_PATH, STATX_DIOALIGN, &stx))
		return ubdx_fail(-errno, "%s: asking for its alignment: %m", loop->path);
	if (!(stx.stx_mask & STATX_DIOALIGN))
		return 0;
	if (!stx.stx_dio_offset_align)
		return ubdx_fail(-EINVAL, "%s: its file system has no direct I/O", loop->path);
	if (stx.stx_dio_offset_align > loop->block)
		loop->block = stx.stx_dio_offset_align;
	return 0;
}

/* ---- parameters ---- */

static int ubdx_loop_block_sizes(const struct ubdx_loop *loop, struct ubdx_params *params)
{
	unsigned int value;

	if (!params->logical_block_size)
		params->logical_block_size = loop->block;
	if (params->logical_block_size < loop->block)
		return ubdx_fail(-EINVAL,
				 "%s: its blocks are of %u bytes, the device's can't be of %u",
				 loop->path, loop->block, params->logical_block_size);
	if (!loop->is_block)
		return 0;

	if (!params->physical_block_size && !ioctl(loop->fd, BLKPBSZGET, &value))
		params->physical_block_size =
			value > params->logical_block_size ? value : params->logical_block_size;
	if (!params->io_opt && !ioctl(loop->fd, BLKIOOPT, &value))
		params->io_opt = value;
	if (ubdx_loop_queue_number(loop, "rotational"))
		params->attrs |= UBDX_ATTR_ROTATIONAL;
	return 0;
}

/* Can holes be punched? Try it beyond the end of the file, where there is no data to lose. */
static bool ubdx_loop_discards(const struct ubdx_loop *loop, const struct stat *st)
{
	off_t end = ubdx_round_up(loop->bytes, st->st_blksize);

	if (loop->is_block)
		return ubdx_loop_queue_number(loop, "discard_max_bytes") != 0;
	return !fallocate(loop->fd, FALLOC_FL_PUNCH_HOLE | FALLOC_FL_KEEP_SIZE, end,
			  st->st_blksize);
}

static uint32_t ubdx_loop_granularity(const struct ubdx_loop *loop, const struct stat *st)
{
	uint64_t bytes = st->st_blksize;

	if (loop->is_block)
		bytes = ubdx_loop_queue_number(loop, "discard_granularity");
	return bytes && !(bytes & (bytes - 1)) && bytes <= UBDX_MAX_DISCARD_BYTES ? bytes : 0;
}

static int ubdx_loop_discard(const struct ubdx_loop *loop, struct ubdx_params *params)
{
	struct stat st;

	if (loop->read_only)
		return 0;
	if (fstat(loop->fd, &st))
		return ubdx_fail(-errno, "%s: %m", loop->path);

	/* O_DSYNC makes written zeroes stable, but not fallocate() on some file systems. */
	if (!loop->sync)
		params->max_write_zeroes_sectors = UBDX_MAX_ZEROES_BYTES >> UBDX_SECTOR_SHIFT;
	if (loop->unmap && ubdx_loop_discards(loop, &st)) {
		params->max_discard_sectors = UBDX_MAX_DISCARD_BYTES >> UBDX_SECTOR_SHIFT;
		params->discard_granularity = ubdx_loop_granularity(loop, &st);
	}
	return 0;
}

static int ubdx_loop_fill_params(struct ubdx_loop *loop, const struct ubdx_target_config *config,
				 struct ubdx_params *params)
{
	uint64_t bytes = config->bytes ? config->bytes : loop->bytes;
	int ret;

	if (bytes > loop->bytes)
		return ubdx_fail(-EFBIG, "%s: a device of %llu bytes doesn't fit into its %llu",
				 loop->path, (unsigned long long)bytes,
				 (unsigned long long)loop->bytes);
	ret = ubdx_loop_block_sizes(loop, params);
	if (!ret)
		ret = ubdx_target_capacity(loop->path, bytes, params);
	if (!ret)
		ret = ubdx_loop_discard(loop, params);
	if (ret)
		return ret;

	ubdx_target_attrs(config, loop->cached, params);
	return 0;
}

static int ubdx_loop_set_up(struct ubdx_loop *loop, const struct ubdx_target_config *config,
			    struct ubdx_params *params, struct ubdx_target *target)
{
	int ret = ubdx_loop_open_file(loop, config, target);

	if (ret)
		return ret;
	ret = ubdx_loop_measure(loop);
	if (!ret && loop->direct)
		ret = ubdx_loop_direct_block(loop);
	if (!ret)
		ret = ubdx_loop_fill_params(loop, config, params);
	if (ret)
		close(loop->fd);
	return ret;
}

static int ubdx_loop_open(struct ubdx_target *target, const struct ubdx_target_config *config,
			  struct ubdx_params *params)
{
	struct ubdx_loop *loop;
	int ret;

	if (!config->path)
		return ubdx_fail(-EINVAL, "target loop needs a file");
	loop = malloc(sizeof(*loop));
	if (!loop)
		return ubdx_fail(-ENOMEM, "target loop: %m");
	*loop = (struct ubdx_loop){
		.path = config->path,
		.direct = config->flags & UBDX_TARGET_DIRECT,
		.read_only = config->flags & UBDX_TARGET_READ_ONLY,
		.looks = config->flags & UBDX_TARGET_LOOK,
		.unmap = !(config->flags & UBDX_TARGET_NO_DISCARD),
	};
	ret = ubdx_loop_set_up(loop, config, params, target);
	if (ret) {
		free(loop);
		return ret;
	}
	target->priv = loop;
	target->files[0] = loop->fd;
	target->nr_files = 1;
	return 0;
}

static void ubdx_loop_close(struct ubdx_target *target)
{
	struct ubdx_loop *loop = target->priv;

	close(loop->fd);
	free(loop);
}

/* ---- requests ---- */

/* Would this write extend the file? It would if the file was truncated while the target is open. */
static bool ubdx_loop_is_beyond(const struct ubdx_loop *loop, uint64_t end)
{
	struct stat st;

	return !loop->is_block && (fstat(loop->fd, &st) || (uint64_t)st.st_size < end);
}

static int ubdx_loop_resolve(struct ubdx_target *target, const struct ubdx_desc *desc,
			     uint64_t done, struct ubdx_step *step)
{
	const struct ubdx_loop *loop = target->priv;

	step->offset = (desc->sector << UBDX_SECTOR_SHIFT) + done;
	step->length = ubdx_desc_bytes(desc) - done;

	if ((desc->op == UBDX_OP_WRITE || desc->op == UBDX_OP_WRITE_ZEROES) &&
	    ubdx_loop_is_beyond(loop, step->offset + step->length))
		return -EIO;

	switch (desc->op) {
	case UBDX_OP_WRITE:
		if (desc->flags & UBDX_DESC_FUA)
			step->flags = UBDX_STEP_DSYNC;
		/* fall through */
	case UBDX_OP_READ:
		step->kind = UBDX_STEP_FILE;
		return 0;
	case UBDX_OP_FLUSH:
		step->kind = UBDX_STEP_SYNC;
		return 0;
	case UBDX_OP_DISCARD:
		step->kind = UBDX_STEP_PUNCH;
		if (loop->is_block)
			step->flags = UBDX_STEP_BLOCK;
		return 0;
	case UBDX_OP_WRITE_ZEROES:
		step->kind = UBDX_STEP_ZERO;
		if (loop->unmap && !(desc->flags & UBDX_DESC_NOUNMAP))
			step->flags = UBDX_STEP_UNMAP;
		return 0;
	default:
		return -EOPNOTSUPP;
	}
}

/* The whole device is one extent. */
static int ubdx_loop_extents(struct ubdx_target *target)
{
	const struct ubdx_loop *loop = target->priv;
	const struct ubdx_map_extent all = {
		.nr_sectors = target->dev_sectors,
		.flags = UBDX_EXTENT_READ | (loop->read_only ? 0 : UBDX_EXTENT_WRITE),
	};

	return ubdx_extents_set(target, &all, 1);
}

const struct ubdx_target_ops ubdx_target_loop = {
	.name = "loop",
	.summary = "a file or block device, --file PATH; --direct bypasses the page cache",
	.open = ubdx_loop_open,
	.close = ubdx_loop_close,
	.extents = ubdx_loop_extents,
	.resolve = ubdx_loop_resolve,
};
