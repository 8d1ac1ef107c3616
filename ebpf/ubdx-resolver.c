// SPDX-License-Identifier: GPL-2.0
/*
 * ubdx-resolver.c - load one of the resolvers in resolvers/, and unload it. A loaded resolver is a
 * link that is pinned in bpffs, so it stays until it is unloaded.
 */
#include <argp.h>
#include <bpf/bpf.h>
#include <bpf/libbpf.h>
#include <err.h>
#include <errno.h>
#include <limits.h>
#include <linux/magic.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/vfs.h>
#include <unistd.h>

#include <linux/types.h>

#include "resolvers/hash.skel.h"
#include "resolvers/linear.skel.h"
#include "resolvers/scatter.skel.h"
#include "resolvers/stripe.skel.h"
#include "scatter.h"
#include "ubdx_resolver.h"

#define FOLDER "/sys/fs/bpf/ubdx"
#define SECTOR 512

/* The command line. */
struct options {
	const char *words[2]; /* the command and its argument */
	unsigned int nr_words;
	const char *name; /* NULL: same as KIND */
	uint64_t offset; /* bytes */
	uint64_t chunk; /* bytes */
	uint64_t files;
	uint64_t entries;
	uint64_t chunks;
};

/* Print an error message. The result is the exit status. */
#define fail(...) (warnx(__VA_ARGS__), EXIT_FAILURE)

/* ---- the resolvers ---- */

/* An opened, not yet loaded resolver. */
struct opened {
	struct bpf_object *object;
	struct bpf_map *resolver;
	struct bpf_map *map; /* the map to pin beside the link; or NULL */
};

static unsigned int chunk_shift(const struct options *o)
{
	return __builtin_ctzll(o->chunk / SECTOR);
}

static void set_chunk(const struct opened *opened, const struct options *o)
{
	struct ubdx_resolver *resolver = bpf_map__initial_value(opened->resolver, NULL);

	resolver->chunk_sectors = o->chunk / SECTOR;
}

static bool open_linear(const struct options *o, struct opened *opened)
{
	struct linear_bpf *bpf = linear_bpf__open();

	if (!bpf)
		return false;
	*opened = (struct opened){ .object = bpf->obj, .resolver = bpf->maps.resolver };
	bpf->rodata->first_sector = o->offset / SECTOR;
	return true;
}

static bool open_stripe(const struct options *o, struct opened *opened)
{
	struct stripe_bpf *bpf = stripe_bpf__open();

	if (!bpf)
		return false;
	*opened = (struct opened){ .object = bpf->obj, .resolver = bpf->maps.resolver };
	bpf->rodata->nr_files = o->files;
	bpf->rodata->chunk_shift = chunk_shift(o);
	set_chunk(opened, o);
	return true;
}

static bool open_hash(const struct options *o, struct opened *opened)
{
	struct hash_bpf *bpf = hash_bpf__open();

	if (!bpf)
		return false;
	*opened = (struct opened){ .object = bpf->obj,
				   .resolver = bpf->maps.resolver,
				   .map = bpf->maps.chunks };
	bpf->rodata->chunk_shift = chunk_shift(o);
	set_chunk(opened, o);
	return !bpf_map__set_max_entries(opened->map, o->entries);
}

/* Answers as target scatter does. */
static bool open_scatter(const struct options *o, struct opened *opened)
{
	struct scatter_bpf *bpf = scatter_bpf__open();

	if (!bpf)
		return false;
	*opened = (struct opened){ .object = bpf->obj, .resolver = bpf->maps.resolver };
	bpf->rodata->nr_chunks = o->chunks;
	bpf->rodata->factor = ubdx_scatter_factor(o->chunks);
	bpf->rodata->chunk_shift = chunk_shift(o);
	set_chunk(opened, o);
	return true;
}

static const struct {
	const char *name;
	bool (*open)(const struct options *o, struct opened *opened);
} resolvers[] = {
	{ "linear", open_linear },
	{ "stripe", open_stripe },
	{ "hash", open_hash },
	{ "scatter", open_scatter },
};

/* ---- the commands ---- */

/* Print libbpf's warnings: if the kernel refuses the program, they say more than an errno. */
static int print(enum libbpf_print_level level, const char *fmt, va_list args)
{
	return level == LIBBPF_WARN ? vfprintf(stderr, fmt, args) : 0;
}

static bool is_bpffs(void)
{
	struct statfs fs;

	return !statfs("/sys/fs/bpf", &fs) && fs.f_type == BPF_FS_MAGIC;
}

static int load_refused(const char *name, int error)
{
	switch (error) {
	case EPERM:
		return fail("not permitted; run it as root");
	case EEXIST:
		return fail("there is a resolver %s; unload it first, or use --name", name);
	default:
		return fail("loading %s failed: %s", name, strerror(error));
	}
}

/* Where a resolver is pinned. */
struct pins {
	char folder[PATH_MAX];
	char link[PATH_MAX];
	char map[PATH_MAX]; /* only for kind hash */
};

static void pins_of(struct pins *pins, const char *name)
{
	snprintf(pins->folder, sizeof(pins->folder), FOLDER "/%s", name);
	snprintf(pins->link, sizeof(pins->link), FOLDER "/%s/link", name);
	snprintf(pins->map, sizeof(pins->map), FOLDER "/%s/map", name);
}

static void unpin(const struct pins *pins)
{
	unlink(pins->map);
	unlink(pins->link);
	rmdir(pins->folder);
	rmdir(FOLDER); /* fails while it has another resolver */
}

static int pin(const struct pins *pins, const struct opened *opened, struct bpf_link *link)
{
	int ret;

	if (mkdir(FOLDER, 0700) && errno != EEXIST)
		return fail("%s: %s", FOLDER, strerror(errno));
	if (mkdir(pins->folder, 0700) && errno != EEXIST)
		return fail("%s: %s", pins->folder, strerror(errno));
	ret = opened->map ? bpf_map__pin(opened->map, pins->map) : 0;
	if (!ret)
		ret = bpf_link__pin(link, pins->link);
	if (!ret)
		return EXIT_SUCCESS;
	unpin(pins);
	return fail("pinning in %s failed: %s", pins->folder, strerror(-ret));
}

/* Load, attach and pin. After an error nothing is pinned, and the link ends with this process. */
static int load_opened(const struct opened *opened, const char *name)
{
	struct ubdx_resolver *resolver = bpf_map__initial_value(opened->resolver, NULL);
	struct bpf_link *link;
	struct pins pins;
	int ret;

	memccpy(resolver->name, name, 0, sizeof(resolver->name));
	ret = bpf_object__load(opened->object);
	if (ret)
		return load_refused(name, -ret);
	link = bpf_map__attach_struct_ops(opened->resolver);
	if (!link)
		return load_refused(name, errno);
	pins_of(&pins, name);
	return pin(&pins, opened, link);
}

static int load(const struct options *o, const char *kind)
{
	const char *name = o->name ? o->name : kind;
	struct opened opened;
	unsigned int i;
	int ret;

	for (i = 0; i < sizeof(resolvers) / sizeof(*resolvers); i++)
		if (!strcmp(kind, resolvers[i].name))
			break;
	if (i == sizeof(resolvers) / sizeof(*resolvers))
		return fail("there is no resolver %s; see ubdx-resolver --help", kind);
	if (strlen(name) >= UBDX_RESOLVER_NAME || !strcmp(name, "none") ||
	    name[strspn(name, "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789-_")] ||
	    !*name)
		return fail("--name takes up to %d letters, digits, - and _, except 'none': '%s'",
			    UBDX_RESOLVER_NAME - 1, name);
	if (access("/sys/module/ubdx", F_OK))
		return fail("the driver isn't loaded; run modprobe ubdx");
	if (access("/sys/kernel/btf/vmlinux", F_OK))
		return fail("this kernel has no BTF, which a resolver needs");
	if (!is_bpffs())
		return fail("/sys/fs/bpf isn't mounted; run mount -t bpf bpf /sys/fs/bpf");
	if (!resolvers[i].open(o, &opened))
		return fail("loading %s failed: %s", kind, strerror(errno));
	ret = load_opened(&opened, name);
	bpf_object__close(opened.object);
	return ret;
}

static int unload(const struct options *o, const char *name)
{
	struct pins pins;
	int link;

	if (strchr(name, '/'))
		return fail("%s is no resolver's name", name);
	pins_of(&pins, name);
	link = bpf_obj_get(pins.link);
	if (link < 0)
		return errno == ENOENT ? fail("no resolver %s is loaded", name) :
					 fail("%s: %s", pins.link, strerror(errno));
	/* Unpinning alone would unload the resolver some time later. */
	if (bpf_link_detach(link))
		return fail("unloading %s failed: %s", name, strerror(errno));
	close(link);
	unpin(&pins);
	return EXIT_SUCCESS;
}

static const struct {
	const char *name;
	int (*run)(const struct options *o, const char *argument);
} commands[] = {
	{ "load", load },
	{ "unload", unload },
};

/* ---- the command line ---- */

const char *argp_program_version = "ubdx-resolver " UBDX_TRACE_VERSION;

enum { OPT_NAME = 256, OPT_OFFSET, OPT_CHUNK, OPT_FILES, OPT_ENTRIES, OPT_CHUNKS };

static const struct argp_option option_list[] = {
	{ "name", OPT_NAME, "NAME", 0, "the loaded resolver's name (KIND)", 1 },
	{ "offset", OPT_OFFSET, "BYTES", 0, "linear: where the device begins in file 0 (0)", 1 },
	{ "chunk", OPT_CHUNK, "BYTES", 0, "all but linear: a power of two, at least 4K (64K)", 1 },
	{ "files", OPT_FILES, "N", 0, "stripe: number of files, 1 to 64 (2)", 1 },
	{ "entries", OPT_ENTRIES, "N", 0, "hash: how many chunks the map can have (65536)", 1 },
	{ "chunks", OPT_CHUNKS, "N", 0, "scatter: number of chunks of the device (1)", 1 },
	{ 0 }
};

static uint64_t parse_number(struct argp_state *state, const char *option, const char *text,
			     uint64_t min, uint64_t max)
{
	unsigned int shift = 0;
	uint64_t value;
	char *end;

	errno = 0;
	value = strtoull(text, &end, 10);
	if (end != text && *end && strchr("KMG", *end))
		shift = *end == 'K' ? 10 : *end == 'M' ? 20 : 30;
	if (shift)
		end++;
	if (end == text || *end || errno || *text == '-' || value > max >> shift ||
	    value << shift < min)
		argp_error(state, "--%s takes %llu to %llu", option, (unsigned long long)min,
			   (unsigned long long)max);
	return value << shift;
}

static error_t parse(int key, char *arg, struct argp_state *state)
{
	struct options *o = state->input;

	switch (key) {
	case OPT_NAME:
		o->name = arg;
		return 0;
	case OPT_OFFSET:
		o->offset = parse_number(state, "offset", arg, 0, 1ULL << 56);
		if (o->offset % SECTOR)
			argp_error(state, "--offset takes a multiple of %d", SECTOR);
		return 0;
	case OPT_CHUNK:
		o->chunk = parse_number(state, "chunk", arg, 4096, 1ULL << 30);
		if (o->chunk & (o->chunk - 1))
			argp_error(state, "--chunk takes a power of two");
		return 0;
	case OPT_FILES:
		o->files = parse_number(state, "files", arg, 1, 64);
		return 0;
	case OPT_ENTRIES:
		o->entries = parse_number(state, "entries", arg, 1, 1 << 24);
		return 0;
	case OPT_CHUNKS:
		o->chunks = parse_number(state, "chunks", arg, 1, 1 << 20);
		return 0;
	case ARGP_KEY_ARG:
		if (o->nr_words == 2)
			argp_error(state, "too many arguments");
		o->words[o->nr_words++] = arg;
		return 0;
	case ARGP_KEY_END:
		if (o->nr_words < 2)
			argp_error(state, "say load KIND, or unload NAME");
		return 0;
	}
	return ARGP_ERR_UNKNOWN;
}

static const struct argp argp = {
	.options = option_list,
	.parser = parse,
	.args_doc = "load linear|stripe|hash|scatter\nunload NAME",
	.doc = "Load or unload a resolver, a BPF program that says where a device's sectors are. `ubdx set DEVICE "
	       "--resolver NAME` makes DEVICE use the resolver. DEVICE must have been added with --extents.\v"
	       "A resolver named NAME is pinned as " FOLDER
	       "/NAME/link, and the map of a resolver of kind hash as " FOLDER "/NAME/map.",
};

int main(int argc, char **argv)
{
	struct options o = { .chunk = 65536, .files = 2, .entries = 65536, .chunks = 1 };
	unsigned int i;

	libbpf_set_print(print);
	argp_parse(&argp, argc, argv, 0, NULL, &o);
	for (i = 0; i < sizeof(commands) / sizeof(*commands); i++)
		if (!strcmp(o.words[0], commands[i].name))
			return commands[i].run(&o, o.words[1]);
	return fail("unknown command %s; see ubdx-resolver --help", o.words[0]);
}
