// SPDX-License-Identifier: MIT OR LGPL-2.1
/*
 * targets.c - a target describes its device, or says why it can't be opened and then leaves
 * nothing open.
 */
#include <errno.h>
#include <fcntl.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "lib.h"
#include "tap.h"

static char folder[] = "/tmp/ubdx-test-XXXXXX";
static char path[64];

static void make_file(const char *name, off_t bytes)
{
	int fd;

	snprintf(path, sizeof(path), "%s/%s", folder, name);
	fd = open(path, O_CREAT | O_RDWR | O_TRUNC, 0644);
	if (fd < 0 || ftruncate(fd, bytes))
		exit(EXIT_FAILURE);
	close(fd);
}

static int next_fd(void)
{
	int fd = dup(STDIN_FILENO);

	close(fd);
	return fd;
}

/* Opening the target must fail with @err and a message that contains @text. */
static void fails(const char *name, const struct ubdx_target_config *config,
		  const struct ubdx_params *wanted, int err, const char *text, const char *what)
{
	struct ubdx_params params = *wanted;
	struct ubdx_target *target;
	int fd = next_fd();
	int ret = ubdx_target_open(ubdx_target_find(name), config, &params, &target);

	ok(ret == err && strstr(ubdx_errmsg(), text), "%s", what);
	if (ret != err || !strstr(ubdx_errmsg(), text))
		printf("# got %d, %s\n", ret, ret ? ubdx_errmsg() : "");
	if (!ret)
		ubdx_target_close(target);
	is(next_fd(), fd, "and nothing stays open");
}

static void opens(const char *name, const struct ubdx_target_config *config,
		  struct ubdx_params *params, const char *what)
{
	struct ubdx_target *target;
	int ret = ubdx_target_open(ubdx_target_find(name), config, params, &target);

	ok(!ret, "%s", what);
	if (ret)
		printf("# %s\n", ubdx_errmsg());
	else
		ubdx_target_close(target);
}

static void table(void)
{
	ok(ubdx_target_find("null") && ubdx_target_find("mem") && ubdx_target_find("loop"),
	   "null, mem and loop are there");
	ok(!ubdx_target_find("nil") && !ubdx_target_find(""), "others are not");
	ok(ubdx_target_find("touch,all:null") && !ubdx_target_find("touchy") &&
		   !ubdx_target_find("null,all"),
	   "a filter's name is followed by its options, other targets' names aren't");
	ok(ubdx_target_get(0) && !ubdx_target_get(100), "the list of targets ends");
	is(ubdx_xfer_by_name("copy"), UBDX_XFER_COPY, "mode copy by its name");
	ok(!strcmp(ubdx_xfer_name(UBDX_XFER_COPY), "copy"), "and back");
	is(ubdx_xfer_by_name("teleport"), -EINVAL, "a mode that doesn't exist");
	ok(!ubdx_xfer_name(63), "an unknown mode has no name");
	ok(ubdx_xfer_modes() & 1ULL << UBDX_XFER_COPY, "copy is offered");
}

static void sizes(void)
{
	struct ubdx_params none = { .numa_node = -1 }, params = none;
	struct ubdx_params big = { .logical_block_size = 4096 };
	struct ubdx_target_config config;

	ubdx_target_config_init(&config);
	fails("null", &config, &none, -EINVAL, "needs a size", "null without a size");
	fails("mem", &config, &none, -EINVAL, "needs a size", "mem without a size");
	fails("loop", &config, &none, -EINVAL, "needs a file", "loop without a file");
	config.bytes = 1000;
	fails("mem", &config, &none, -EINVAL, "multiple", "a size that isn't whole blocks");
	config.bytes = 1 << 20;
	opens("mem", &config, &params, "mem of 1 MiB");
	is(params.dev_sectors, 2048, "has 2048 sectors");
	is(params.attrs, 0, "and no cache");
	config.write_cache = 1;
	opens("mem", &config, &params, "mem with a cache");
	is(params.attrs, UBDX_ATTR_WRITE_CACHE | UBDX_ATTR_FUA, "takes FUA, too");
	config.write_cache = -1;
	config.path = "x";
	fails("null", &config, &none, -EINVAL, "no file", "null with a file");

	ubdx_target_config_init(&config);
	config.path = path;
	make_file("empty", 0);
	fails("loop", &config, &none, -EINVAL, "less than one block", "an empty file");
	make_file("odd", 4096 * 3 + 512);
	fails("loop", &config, &big, -EINVAL, "multiple of the block size", "a file of 3.1 blocks");
	config.bytes = 4096 * 3;
	params = big;
	opens("loop", &config, &params, "its first three blocks");
	is(params.dev_sectors, 24, "have 24 sectors");
	config.bytes = 1 << 20;
	fails("loop", &config, &none, -EFBIG, "doesn't fit", "a device larger than its file");
}

/* Each of these names is refused with these words. */
static void refused(struct ubdx_target_config *config, const char *const *names, unsigned int nr,
		    const char *words)
{
	struct ubdx_params none = { .numa_node = -1 };
	unsigned int i;

	for (i = 0; i < nr; i++) {
		config->name = names[i];
		fails(names[i], config, &none, -EINVAL, words, names[i]);
	}
}

static void filters(void)
{
	static const char *const wrong[] = { "touch",	     "touch:null",	"touch,some:null",
					     "touch,all",    "touch,all,:null", "touch,:null",
					     "touch:x,all:y" };
	struct ubdx_params none = { .numa_node = -1 };
	struct ubdx_target_config config;

	ubdx_target_config_init(&config);
	config.bytes = 1 << 20;
	refused(&config, wrong, ARRAY_SIZE(wrong), "touch is touch,");
	config.name = NULL;
	fails("touch", &config, &none, -EINVAL, "touch is touch,", "touch without its name");
	config.name = "touch,all:disk";
	fails(config.name, &config, &none, -EINVAL, "no target disk", config.name);
	config.name = "touch,all:loop";
	fails(config.name, &config, &none, -EINVAL, "loop needs a file", config.name);
	config.name = "touch,all:touch,header:null";
	fails(config.name, &config, &none, -EINVAL, "another filter", config.name);
	config.name = "touch,all:touch,none:null";
	fails(config.name, &config, &none, -EINVAL, "another filter", config.name);
	config.name = "touch,all,/nonexistent/file:null";
	fails(config.name, &config, &none, -ENOENT, "/nonexistent/file", config.name);
	config.flags = UBDX_TARGET_LOOK;
	opens(config.name, &config, &none, "with UBDX_TARGET_LOOK it needs no file");
}

/* Scatter 10 chunks of 64 KiB of a file, and see where each part of a request goes. */
static void scattered(struct ubdx_target *target)
{
	const struct ubdx_desc read = { .op = UBDX_OP_READ, .sector = 8, .nr_sectors = 19 * 64 };
	struct ubdx_step step;
	unsigned int places = 0, parts = 0, wrong = 0;
	uint64_t done;

	for (done = 0; done < 19 * 32768; done += step.length, parts++) {
		step = (struct ubdx_step){ .kind = UBDX_STEP_DONE };
		if (target->ops->resolve(target, &read, done, &step) || !step.length)
			break;
		wrong += step.kind != UBDX_STEP_FILE || step.offset / 65536 != parts * 7919 % 10 ||
			 step.offset % 65536 != (parts ? 0 : 4096) ||
			 step.length != (parts == 0 ? 61440 :
					 parts == 9 ? 36864 :
						      65536);
		wrong += step.flags != (UBDX_STEP_KEEP | UBDX_STEP_KEEP_WRITES);
		places |= 1U << step.offset / 65536;
	}
	is(parts, 10, "a request for most of ten chunks has ten parts");
	is(places, 0x3ff, "in ten places");
	is(wrong, 0, "each where it should be, and may be kept");
	/* The rest of a part that was short doesn't begin with a sector. */
	step = (struct ubdx_step){ .kind = UBDX_STEP_DONE };
	is(target->ops->resolve(target, &read, 61440 + 100, &step), 0, "a part goes on");
	ok(step.offset == 9 * 65536 + 100 && step.length == 65536 - 100, "where it had ended");
}

static void scatter(void)
{
	static const char *const wrong[] = {
		"scatter",	    "scatter:null",	   "scatter,3:null",
		"scatter,2:null",   "scatter,64,101:null", "scatter,64,:null",
		"scatter,64,x:null"
	};
	struct ubdx_params none = { .numa_node = -1 }, params = none;
	struct ubdx_target_config config;
	struct ubdx_target *target;

	ubdx_target_config_init(&config);
	config.bytes = 1 << 20;
	refused(&config, wrong, ARRAY_SIZE(wrong), "scatter is scatter,");
	config.name = "scatter,64:mem";
	fails(config.name, &config, &none, -EINVAL, "a target with a file", "scatter,64:mem");
	config.name = "scatter,64:touch,all:null";
	fails(config.name, &config, &none, -EINVAL, "another filter", "a filter behind a filter");
	config.bytes = 0;
	config.path = path;
	make_file("small", 1 << 20);
	config.name = "scatter,4096:loop";
	fails(config.name, &config, &none, -EINVAL, "another size of chunk", "less than a chunk");
	config.name = "scatter,64,keep:loop";
	make_file("chunks", 10 * 65536 + 4096);
	if (ubdx_target_open(ubdx_target_find(config.name), &config, &params, &target))
		exit(EXIT_FAILURE);
	is(params.dev_sectors, 10 * 128, "a device has whole chunks");
	ok(!strcmp(target->kind, "scatter"), "it isn't taken for the target behind it");
	scattered(target);
	ubdx_target_close(target);
}

static void files(void)
{
	struct ubdx_params none = { .numa_node = -1 }, params = none;
	struct ubdx_target_config config;

	ubdx_target_config_init(&config);
	config.path = "/nonexistent/file";
	fails("loop", &config, &none, -ENOENT, "/nonexistent/file", "a file that doesn't exist");
	config.path = folder;
	fails("loop", &config, &none, -EINVAL, "neither", "a folder");
	config.path = "/dev/null";
	fails("loop", &config, &none, -EINVAL, "neither", "a character device");
	snprintf(path, sizeof(path), "%s/fifo", folder);
	if (mkfifo(path, 0600))
		exit(EXIT_FAILURE);
	config.path = path;
	fails("loop", &config, &none, -EINVAL, "neither", "a pipe, without waiting for its writer");

	make_file("file", 1 << 20);
	opens("loop", &config, &params, "a file");
	is(params.attrs, UBDX_ATTR_WRITE_CACHE | UBDX_ATTR_FUA, "is behind the page cache");
	params = none;
	config.write_cache = 0;
	opens("loop", &config, &params, "a file without a cache");
	is(params.attrs, 0, "says so");
	is(params.max_write_zeroes_sectors, 0, "and offers no WRITE_ZEROES");
	params = none;
	config.flags = UBDX_TARGET_READ_ONLY;
	opens("loop", &config, &params, "a file to be read only");
	is(params.max_discard_sectors, 0, "isn't discarded");
}

/* Structs that begin with their size, from a program that is newer than the library. */
static void newer(void)
{
	struct {
		struct ubdx_target_config known;
		uint64_t more;
	} config;
	struct {
		struct ubdx_server_opts known;
		uint64_t more;
	} opts;
	struct ubdx_params none = { .numa_node = -1 };
	struct ubdx_server *server;

	ubdx_target_config_init(&config.known);
	config.known.size = sizeof(config);
	config.known.bytes = 1 << 20;
	config.more = 0;
	opens("null", &config.known, &none, "a config with a field more, which asks for nothing");
	config.more = 1ULL << 63;
	fails("null", &config.known, &none, -E2BIG, "doesn't know", "one that asks for something");

	ubdx_server_opts_init(&opts.known);
	opts.known.size = sizeof(opts);
	opts.more = 1ULL << 63;
	is(ubdx_server_start(NULL, &opts.known, &server), -E2BIG, "options with a field more");
	is(ubdx_server_may_recover(NULL, &opts.known), -E2BIG, "the same for a recovery");
}

static void memory(void)
{
	struct ubdx_params none = { .numa_node = -1 }, params = none;
	struct ubdx_target_config config;

	ubdx_target_config_init(&config);
	config.bytes = 1ULL << 50;
	fails("mem", &config, &none, -ENOMEM, "--force-size", "mem of more than there is");
	config.bytes = 1ULL << 40;
	config.flags = UBDX_TARGET_FORCE_SIZE;
	opens("mem", &config, &params, "unless UBDX_TARGET_FORCE_SIZE is given");
}

int main(void)
{
	if (!mkdtemp(folder))
		return EXIT_FAILURE;
	table();
	sizes();
	filters();
	scatter();
	files();
	newer();
	memory();
	return done();
}
