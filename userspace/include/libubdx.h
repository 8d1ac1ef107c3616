/* SPDX-License-Identifier: MIT OR LGPL-2.1 */
/*
 * libubdx.h - serve block devices from user space through the ubdx driver.
 *
 * Three parts:
 *
 *   control  thin wrappers of the ioctls on /dev/ubdx-control: list, describe, delete devices.
 *   target   the storage behind a device: maps a request's metadata to steps, see struct
 *            ubdx_target_ops. `null`, `mem` and `loop` come with the library; a program can bring
 *            its own.
 *   server   adds a device for a target and serves it, with one thread and one io_uring for each
 *            queue. The library moves the payload, by the strategy of the request's transfer mode;
 *            the target has no part in it.
 *
 * Errors: a function that can fail returns a negative errno. ubdx_errmsg() then returns a sentence
 * that says what was tried, why it failed, and often what to do. Functions that set no such message
 * say so below.
 *
 * Threads: any thread may call control and target functions. A struct ubdx_server belongs to the
 * caller that started it; any thread except those of its queues may call ubdx_server_stop().
 */
#ifndef LIBUBDX_H
#define LIBUBDX_H

#include <stddef.h>
#include <stdint.h>
#include <string.h>

#include <ubdx.h>

#ifdef __cplusplus
extern "C" {
#endif

/**
 * ubdx_lib_version() - version of the library that is loaded, e.g. "0.1.0".
 */
const char *ubdx_lib_version(void);

/**
 * ubdx_errmsg() - the sentence for the last failure in the calling thread.
 *
 * Return: text without a newline, never NULL. The library owns it; it is valid until the thread's
 * next failing call.
 */
const char *ubdx_errmsg(void);

/**
 * ubdx_fail() - set the text that ubdx_errmsg() returns; for targets outside the library.
 * @err: negative errno.
 * @fmt: as for printf(3); %m is the text of @err.
 *
 * Return: @err.
 */
int ubdx_fail(int err, const char *fmt, ...) __attribute__((format(printf, 2, 3)));

/**
 * typedef ubdx_log_fn - receives messages about a running server.
 * @arg:	the caller's argument.
 * @priority:	as for syslog(3): LOG_ERR, LOG_WARNING, LOG_INFO.
 * @text:	one line without a newline; valid during the call.
 *
 * Any thread of the server may call it.
 */
typedef void (*ubdx_log_fn)(void *arg, int priority, const char *text);

/* ---- names ---- */

/**
 * ubdx_xfer_name() - name of a transfer mode, as in the driver's parameters; NULL if unknown.
 */
const char *ubdx_xfer_name(unsigned int mode);

/**
 * ubdx_xfer_by_name() - enum ubdx_xfer_mode of that name, or -EINVAL.
 */
int ubdx_xfer_by_name(const char *name);

/**
 * ubdx_xfer_modes() - bit 1 << mode for each transfer mode that this library can serve.
 */
uint64_t ubdx_xfer_modes(void);

/**
 * ubdx_state_name() - "added", "live", "dead", "quiesced"; "?" if unknown.
 */
const char *ubdx_state_name(unsigned int state);

/**
 * ubdx_recovery_name() - name of an enum ubdx_recovery; NULL if there is none.
 */
const char *ubdx_recovery_name(unsigned int recovery);

/* ---- control ---- */

/**
 * ubdx_ctl_open() - open the control node, read-only if the caller may not write it.
 *
 * Return: a descriptor that the caller closes, or a negative errno.
 */
int ubdx_ctl_open(void);

/*
 * The functions below are the ioctls of the UAPI header, which describes their arguments and
 * errors. @ctl is the descriptor from ubdx_ctl_open(). A call that a signal interrupts is repeated.
 *
 * Each returns 0 or the ioctl's negative errno, which ubdx_errmsg() explains. But
 * ubdx_ctl_target_info() and ubdx_ctl_set_target_info() return 0 if an older driver lacks the
 * ioctl.
 */

/**
 * ubdx_ctl_features() - the features and limits of the driver.
 */
int ubdx_ctl_features(int ctl, struct ubdx_features *features);

/**
 * ubdx_ctl_add() - UBDX_IOC_ADD. The caller fills in @add, version included; the driver completes
 * it.
 */
int ubdx_ctl_add(int ctl, struct ubdx_add *add);

/**
 * ubdx_ctl_start() - UBDX_IOC_START; only the device's server may call it.
 * @xfer_modes: the modes that the server offers, if the device had another server before; else 0.
 */
int ubdx_ctl_start(int ctl, int id, uint64_t xfer_modes);

/**
 * ubdx_ctl_quiesce() - UBDX_IOC_QUIESCE: when the device's server has answered its requests, take
 * the device from it.
 */
int ubdx_ctl_quiesce(int ctl, int id);

/**
 * ubdx_ctl_stop() - UBDX_IOC_STOP: remove the block device; the device stays, and is dead.
 * @flags: 0, UBDX_CTL_IN_USE or UBDX_CTL_FORCE; see struct ubdx_ctl.
 * @timeout_ms: with UBDX_CTL_IN_USE: after this time the device is stopped by force; 0: no limit.
 *	Otherwise 0.
 */
int ubdx_ctl_stop(int ctl, int id, unsigned int flags, uint64_t timeout_ms);

/**
 * ubdx_ctl_del() - UBDX_IOC_DEL: delete the device; a device that is not stopped is stopped first.
 * @flags, @timeout_ms: as for ubdx_ctl_stop(); @flags can also be UBDX_CTL_LAST_CLOSE.
 */
int ubdx_ctl_del(int ctl, int id, unsigned int flags, uint64_t timeout_ms);

/**
 * ubdx_ctl_info() - describe device @id.
 */
int ubdx_ctl_info(int ctl, int id, struct ubdx_info *info);

/**
 * ubdx_ctl_next() - describe the first device whose number is at least @id.
 *
 * Return: 0; -ENODEV if there is none (no message); another negative errno.
 */
int ubdx_ctl_next(int ctl, int id, struct ubdx_info *info);

/**
 * ubdx_ctl_target_info() - get the description that the present or last server of device @id has
 * given of its target.
 * @target_info: out: all zero except the id until a server that has given a description has
 *	started, or if an older driver lacks the ioctl. Control characters in the strings are
 *	replaced by question marks.
 */
int ubdx_ctl_target_info(int ctl, int id, struct ubdx_target_info *target_info);

/**
 * ubdx_ctl_set_target_info() - UBDX_IOC_SET_TARGET_INFO; only the device's server may call it.
 */
int ubdx_ctl_set_target_info(int ctl, const struct ubdx_target_info *target_info);

/**
 * ubdx_ctl_set_xfer() - pin device @id to a transfer mode; UBDX_SET_XFER_DEFAULT unpins it.
 */
int ubdx_ctl_set_xfer(int ctl, int id, unsigned int mode);

/* ---- targets ---- */

/*
 * The kinds of step. The library checks each step against the request. A step that does not fit is
 * an error of the target: the library logs it, and the request fails with EIO. These fit:
 *
 *	READ		FILE, also with KEEP; MEM; DONE with NO_DATA
 *	WRITE		FILE, also with DSYNC, KEEP; MEM; DONE with NO_DATA
 *	FLUSH		SYNC; DONE
 *	DISCARD		PUNCH, also with BLOCK; ZERO, also with UNMAP; DONE
 *	WRITE_ZEROES	ZERO, also with UNMAP unless the request has UBDX_DESC_NOUNMAP; DONE
 */
enum ubdx_step_kind {
	/*
	 * The request has succeeded. For a READ or WRITE the step needs UBDX_STEP_NO_DATA, because
	 * the target is asked only while payload is left. The library does not fill the rest of a
	 * READ with zeroes: for a target such as null that would cost more than everything else. A
	 * target that wants zeroes there returns a MEM step that points to zeroes.
	 */
	UBDX_STEP_DONE,
	/* Write a WRITE's payload to (file, offset, length); read a READ's payload from there. */
	UBDX_STEP_FILE,
	/* The same with (addr, length) in the server's memory. */
	UBDX_STEP_MEM,
	/* Flush the file: make what was written to it stable. */
	UBDX_STEP_SYNC,
	/* Deallocate (file, offset, length). The file decides what a READ returns afterwards. */
	UBDX_STEP_PUNCH,
	/* Make (file, offset, length) read as zeroes; with UNMAP it may be deallocated. */
	UBDX_STEP_ZERO,
	UBDX_NR_STEPS,
};

/* struct ubdx_step.flags */
#define UBDX_STEP_DSYNC (1U << 0) /* FILE: make the data stable before the step ends */
#define UBDX_STEP_UNMAP (1U << 1) /* ZERO: may deallocate */
#define UBDX_STEP_BLOCK (1U << 2) /* PUNCH: the file is a block device */
/*
 * DONE: do not move the rest of the payload. The rest of a WRITE is dropped. The rest of a READ is
 * stale data: in mode copy an earlier payload of the same server, in the other modes what the pages
 * held before. For targets whose data nobody reads. The flag is ignored if the request has no
 * payload.
 */
#define UBDX_STEP_NO_DATA (1U << 3)
/*
 * FILE: on a device with extents the driver may keep this mapping, and use it for READs until the target
 * revokes it (ubdx_extents_revoke()); with KEEP_WRITES, too, also for WRITEs. In mode `forward` only. See
 * UBDX_COMMIT_KEEP.
 */
#define UBDX_STEP_KEEP (1U << 4)
#define UBDX_STEP_KEEP_WRITES (1U << 5)

/**
 * struct ubdx_step - one step of a request, written by the target.
 * @kind:	enum ubdx_step_kind.
 * @flags:	UBDX_STEP_*.
 * @file:	FILE, SYNC, PUNCH, ZERO: index into struct ubdx_target.files, below its nr_files.
 * @reserved:	leave it zero.
 * @offset:	FILE, PUNCH, ZERO: bytes from the start of the file.
 * @length:	FILE, MEM, PUNCH, ZERO: bytes, not 0. It may exceed the rest of the request, so a
 *		target can return a whole extent.
 * @addr:	MEM: address, not NULL.
 */
struct ubdx_step {
	uint32_t kind;
	uint32_t flags;
	uint32_t file;
	uint32_t reserved;
	uint64_t offset;
	uint64_t length;
	void *addr;
};

#define UBDX_TARGET_FILES 8

/**
 * struct ubdx_target - an opened target.
 * @ops:	its kind.
 * @priv:	private data of @ops.
 * @kind:	name of the kind, which the device remembers: ops->name, unless open sets another. A
 *		filter sets the kind of the target behind it.
 * @inspect_bytes: set by open: how many bytes of each payload, from its start, ops->inspect() gets.
 * @nr_files:	number of @files.
 * @files:	descriptors that the target's steps name by index. Owned by the target, constant
 *		between open and close: each queue registers them with its io_uring.
 * @token:	set by open: identifies the storage, for example by device and inode number of a
 *		file; zero if the kind has only one storage. ubdx_server_recover() refuses a target
 *		whose kind or token differs from that of the device's last server (see
 *		UBDX_SERVER_OTHER_TARGET).
 * @where:	set by open: name of the storage for people, such as a path; "" for none.
 * @dev_sectors: set by the library before ops->extents(): the device's capacity.
 * @channel:	the library's, for ubdx_extents_set(); -1: the target can't have extents.
 */
struct ubdx_target {
	const struct ubdx_target_ops *ops;
	void *priv;
	const char *kind;
	uint32_t inspect_bytes;
	unsigned int nr_files;
	int files[UBDX_TARGET_FILES];
	uint64_t token[2];
	char where[256];
	uint64_t dev_sectors;
	int channel;
};

/* struct ubdx_target_config.flags */
#define UBDX_TARGET_DIRECT (1U << 0) /* bypass the page cache */
#define UBDX_TARGET_READ_ONLY (1U << 1)
#define UBDX_TARGET_NO_DISCARD (1U << 2) /* no DISCARD, no deallocating WRITE_ZEROES */
#define UBDX_TARGET_LOOK \
	(1U << 3) /* only check whether the target could be served; don't lock its file */
#define UBDX_TARGET_FORCE_SIZE (1U << 4) /* mem: may be larger than the available memory */

/**
 * struct ubdx_target_config - what the administrator asks of a target.
 * @size:	sizeof(struct ubdx_target_config), so that the struct can grow.
 * @path:	the file or block device that the target stores data in, or NULL; borrowed during
 *		open.
 * @bytes:	capacity; 0: that of @path.
 * @flags:	UBDX_TARGET_*.
 * @write_cache: 1: advertise a volatile write cache, so that the block layer sends FLUSHes; 0:
 *		advertise none: each write is stable before it ends; -1: the target's default.
 * @fua:	1: advertise FUA, if a write cache is advertised; 0: the block layer sends write +
 *		flush; -1: the target's default.
 * @wait_ms:	how long to wait until another server has closed the file.
 * @name:	for a filter: the name given to ubdx_target_find(), which contains the filter's
 *		options and the target behind it; borrowed during open.
 */
struct ubdx_target_config {
	size_t size;
	const char *path;
	uint64_t bytes;
	uint32_t flags;
	int32_t write_cache;
	int32_t fua;
	uint32_t wait_ms;
	const char *name;
};

/**
 * ubdx_target_config_init() - a config with all defaults.
 */
static inline void ubdx_target_config_init(struct ubdx_target_config *config)
{
	memset(config, 0, sizeof(*config));
	config->size = sizeof(*config);
	config->write_cache = -1;
	config->fua = -1;
}

/**
 * struct ubdx_target_ops - a kind of target.
 *
 * A target turns a request's metadata into steps. It does not move the payload, and does not depend
 * on the transfer mode.
 */
struct ubdx_target_ops {
	const char *name;
	/* For `ubdx add --help`: one line. */
	const char *summary;

	/**
	 * @open: acquire what the target needs, set @target->priv and files.
	 *
	 * @params has what the caller asks for, and zero for what the target may choose. The target
	 * fills in dev_sectors, attrs and the limits for which the driver's defaults are wrong. It
	 * fails if it can't do what the caller asks for.
	 *
	 * Return: 0, or the result of ubdx_fail() with nothing acquired.
	 */
	int (*open)(struct ubdx_target *target, const struct ubdx_target_config *config,
		    struct ubdx_params *params);

	/**
	 * @close: release everything. Called when no queue uses the target any more.
	 */
	void (*close)(struct ubdx_target *target);

	/**
	 * @extents: leave extents with the driver by ubdx_extents_set(); NULL: the target has none.
	 * Called once for each server, after START, if the driver has taken all of @target->files
	 * (UBDX_IOC_SET_FILE).
	 *
	 * Return: 0 or a negative errno, which is only logged; -EOPNOTSUPP is not even logged.
	 */
	int (*extents)(struct ubdx_target *target);

	/**
	 * @resolve: return the next step of a request. The request's first @done bytes are done.
	 *
	 * Called first with @done == 0, then while @done is less than the request's length. So a
	 * request that covers several extents takes one step for each, and a short transfer is
	 * continued. In @step, kind, flags, file and reserved are zero and the rest is undefined.
	 * The request lies inside the device.
	 *
	 * The queues' threads call it, several at a time. It must not block for long.
	 *
	 * Return: 0, or a negative errno, with which the request fails; @step is then ignored.
	 */
	int (*resolve)(struct ubdx_target *target, const struct ubdx_desc *desc, uint64_t done,
		       struct ubdx_step *step);

	/**
	 * @inspect: look at a part of a payload: @length bytes from position @pos on. Needed if
	 * inspect_bytes is not 0.
	 *
	 * The library calls it for the first inspect_bytes of each READ and WRITE, in order, in one
	 * or more parts: for a WRITE before the first step, for a READ when a step has brought the
	 * bytes. @bytes is valid during the call, in each transfer mode. There is no call for bytes
	 * of a READ that no step brings (UBDX_STEP_NO_DATA).
	 *
	 * The queues' threads call it, several at a time.
	 */
	void (*inspect)(struct ubdx_target *target, const struct ubdx_desc *desc, uint64_t pos,
			const void *bytes, uint64_t length);
};

/**
 * ubdx_target_find() - the library's target of that name; NULL if there is none.
 * @name:	null, mem, loop; or a filter in front of one of them,
 *		"touch,none|header|all[,FILE]:NAME". The filter reads none of each payload, the
 *		first 64 bytes, or all of it. When it is closed, it writes to FILE how many bytes it
 *		has read, and their checksum. Or the filter "scatter,CHUNK[,PERCENT|keep]:NAME", see
 *		scatter.c.
 */
const struct ubdx_target_ops *ubdx_target_find(const char *name);

/**
 * ubdx_target_get() - the library's targets, without filters, one by one: @index 0, 1, …; NULL
 * after the last.
 */
const struct ubdx_target_ops *ubdx_target_get(unsigned int index);

/**
 * ubdx_target_open() - open a target.
 * @ops:	kind of target; must outlive the target.
 * @config:	what the administrator asks of it.
 * @params:	in: the caller's wishes for the device, zero where there is none; out: the
 *		parameters to add the device with.
 * @target:	out: the target. Close it with ubdx_target_close(), after ubdx_server_free().
 */
int ubdx_target_open(const struct ubdx_target_ops *ops, const struct ubdx_target_config *config,
		     struct ubdx_params *params, struct ubdx_target **target);

/**
 * ubdx_target_close() - close a target that no server uses any more; NULL is allowed.
 */
void ubdx_target_close(struct ubdx_target *target);

/**
 * ubdx_extents_set() - leave extents of the device with the driver, see UBDX_IOC_MAP.
 * @target:	target of a server that has started.
 * @extents:	the extents; the member file is an index into target->files.
 * @nr:		number of extents.
 *
 * READs and WRITEs in these extents normally don't come to the target any more. Any thread of the
 * server's process may call this.
 *
 * Return: 0 or a negative errno (no message); -EOPNOTSUPP the device can't have extents.
 */
int ubdx_extents_set(struct ubdx_target *target, const struct ubdx_map_extent *extents,
		     unsigned int nr);

/**
 * ubdx_extents_revoke() - take extents back, see UBDX_IOC_REVOKE.
 * @drain: if not 0, also wait until all I/O in extents has ended that began before. Don't do this
 *	in a queue's thread: if its requests wait for longer than the I/O timeout, the driver
 *	declares the server dead.
 *
 * Return: 0 or a negative errno (no message).
 */
int ubdx_extents_revoke(struct ubdx_target *target, uint64_t sector, uint64_t nr_sectors,
			int drain);

/* ---- server ---- */

struct ubdx_server;

/* struct ubdx_server_opts.flags */
#define UBDX_SERVER_OTHER_TARGET (1U << 0) /* recover: accept another target than the last one */
#define UBDX_SERVER_EXTENTS (1U << 1) /* start: the device can have extents (UBDX_F_EXTENTS) */

/**
 * struct ubdx_server_opts - how to serve.
 * @size:	sizeof(struct ubdx_server_opts), so that the struct can grow.
 * @id:		number of the device, -1 for the lowest free one.
 * @xfer:	start: pin the device to this mode before it starts; -1: it follows the module
 *		parameter. Recover: pin the device after its start; a failure is only logged; -1:
 *		the device keeps its pin, if it has one.
 * @xfer_modes:	modes to offer, bit 1 << mode; 0: all that the library can serve. Modes that the
 *		library can't serve are ignored.
 * @params:	of the device, as ubdx_target_open() left them.
 * @prefault:	bytes of each tag's buffer to allocate before the device starts. The rest is
 *		allocated when a request first uses it. No part of a buffer is freed before the
 *		server ends.
 * @cpus:	queue i's thread runs on cpus[i % nr_cpus]; NULL: the scheduler decides. Borrowed
 *		during start.
 * @nr_cpus:	number of @cpus.
 * @log:	receives the server's messages; NULL: they go to stderr.
 * @log_arg:	for @log.
 * @flags:	UBDX_SERVER_*.
 * @serial:	serial number of a new device, at most 31 printable ASCII characters, none of them a
 *		space, / or \; NULL: none. Borrowed during start.
 *
 * If params.numa_node is not negative, the queues' memory is on that node. Their threads run there,
 * too, unless @cpus is given.
 */
struct ubdx_server_opts {
	size_t size;
	int32_t id;
	int32_t xfer;
	uint64_t xfer_modes;
	struct ubdx_params params;
	size_t prefault;
	const unsigned int *cpus;
	size_t nr_cpus;
	ubdx_log_fn log;
	void *log_arg;
	uint32_t flags;
	const char *serial;
};

/**
 * ubdx_server_opts_init() - defaults for everything.
 */
static inline void ubdx_server_opts_init(struct ubdx_server_opts *opts)
{
	memset(opts, 0, sizeof(*opts));
	opts->size = sizeof(*opts);
	opts->id = -1;
	opts->xfer = -1;
	opts->params.numa_node = -1;
}

/**
 * ubdx_process_prepare() - prepare the calling process for serving block devices.
 * @log:	receives a warning for each setting that the kernel refuses; NULL: stderr.
 * @arg:	for @log.
 *
 * Memory reclaim writes dirty pages to the device, so it waits for the server. Therefore:
 *
 *	- the server's allocations don't wait for I/O to its own device: PR_SET_IO_FLUSHER;
 *	- its memory isn't swapped out: mlockall(2), after raising RLIMIT_MEMLOCK;
 *	- the OOM killer spares the server from the time it serves a device: oom_score_adj.
 *
 * It also limits malloc(3) to one arena, for all threads of the process (M_ARENA_MAX).
 *
 * Call this before the process has further threads: they inherit the first setting only when they
 * are created.
 */
void ubdx_process_prepare(ubdx_log_fn log, void *arg);

/**
 * ubdx_server_start() - add a device and serve it.
 * @target:	what to serve; borrowed until ubdx_server_free().
 * @opts:	how to serve it; borrowed during the call.
 * @server:	out: to be freed with ubdx_server_free().
 *
 * When it returns 0, the device is live, its node is in /dev and its partitions are known. When it
 * fails, there is no device. The queues' threads block all signals.
 */
int ubdx_server_start(struct ubdx_target *target, const struct ubdx_server_opts *opts,
		      struct ubdx_server **server);

/**
 * ubdx_server_recover() - serve a device that has lost its server (enum ubdx_recovery).
 * @target:	what to serve, opened with the device's size and attributes; borrowed until
 *		ubdx_server_free().
 * @opts:	how to serve it; @id is the device, @params are those that the target was opened
 *		with. The device's own parameters don't change. Borrowed during the call.
 * @server:	out: to be freed with ubdx_server_free().
 *
 * When it returns 0, the requests that waited are being served. When it fails, they still wait.
 *
 * Return: 0; -EBUSY the device has a server; -EINVAL the target can't do what the device promises,
 * or an option is wrong; -EXDEV the last server served another target, and opts->flags lack
 * UBDX_SERVER_OTHER_TARGET; -EOPNOTSUPP the driver lacks the mode opts->xfer; -ENODEV there is no
 * such device, or it is dead or was never started; another negative errno.
 */
int ubdx_server_recover(struct ubdx_target *target, const struct ubdx_server_opts *opts,
			struct ubdx_server **server);

/**
 * ubdx_server_may_recover() - check @target and @opts as ubdx_server_recover() does, but change
 * nothing. Call it before ubdx_ctl_quiesce() takes the device from its present server.
 * @target:	opened with UBDX_TARGET_LOOK; borrowed during the call.
 * @opts:	as for ubdx_server_recover().
 *
 * Return: 0; -EINVAL, -EXDEV, -EOPNOTSUPP as for ubdx_server_recover(); -ENODEV there is no such
 * device; another negative errno.
 */
int ubdx_server_may_recover(const struct ubdx_target *target, const struct ubdx_server_opts *opts);

/**
 * ubdx_server_id() - number of the device.
 */
int ubdx_server_id(const struct ubdx_server *server);

/**
 * ubdx_server_params() - the device's parameters; valid until ubdx_server_free().
 */
const struct ubdx_params *ubdx_server_params(const struct ubdx_server *server);

/**
 * ubdx_server_fd() - a descriptor that becomes readable, for poll(2), when the threads of all
 * queues have left: the device was deleted, has failed, or was taken from this server. The server
 * owns it.
 */
int ubdx_server_fd(const struct ubdx_server *server);

/**
 * ubdx_server_stop() - delete the device. Its queues serve the last requests and then leave.
 * @flags:	0: only if the block device isn't open; UBDX_CTL_LAST_CLOSE: now if it isn't open,
 *		else when it is closed for the last time; UBDX_CTL_IN_USE: also while it is open,
 *		after its dirty data is written back; UBDX_CTL_FORCE: at once. See struct ubdx_ctl.
 *
 * A device that another server has taken over is not deleted, nor is a new device with the same
 * number. Call it from the process that started the server.
 *
 * Return: 0; -EBUSY the device is open and is still served; -EINPROGRESS the device is open and is
 * served until the last close; -ENODEV the server has no device any more.
 */
int ubdx_server_stop(struct ubdx_server *server, unsigned int flags);

/**
 * ubdx_server_free() - wait until the queues' threads have left, and free the server; NULL is
 * allowed.
 *
 * If the server still has its device, the device is deleted by force. A device that the driver has
 * declared dead stays, so that the administrator sees it.
 *
 * Return: 0; a negative errno (no message) if a queue's thread has left because of an error.
 */
int ubdx_server_free(struct ubdx_server *server);

#ifdef __cplusplus
}
#endif

#endif /* LIBUBDX_H */
