// SPDX-License-Identifier: GPL-2.0
/*
 * resolver.c - resolvers beside a server that knows of them: stripe, and hash, whose map the server
 * fills; what they may answer; and what they do when the server replaces or removes their files.
 *
 *	resolver FIRST SECOND SLOW
 *
 * Block devices of 64 MiB that keep what is written. SLOW ends its I/O after four seconds.
 */
#define _GNU_SOURCE
#include <errno.h>
#include <fcntl.h>
#include <linux/bpf.h>
#include <string.h>
#include <sys/syscall.h>
#include <unistd.h>

#include "front.h"
#include "hash.h"
#include "tap.h"

enum { FIRST, SECOND, SLOW, NR_FILES };

#define CHUNK (64 << 10)
#define AT (1 << 20)

static int files[NR_FILES];

static int run(const char *command)
{
	return system(command);
}

static bool resolver_is(const char *wanted)
{
	char path[64], text[256] = "", brackets[32];
	int fd;

	snprintf(path, sizeof(path), "/sys/block/ubdxb%d/ubdx/resolver", raw.add.id);
	snprintf(brackets, sizeof(brackets), "[%s]", wanted);
	fd = open(path, O_RDONLY | O_CLOEXEC);
	if (fd < 0 || read(fd, text, sizeof(text) - 1) < 0)
		bail("%s: %m", path);
	close(fd);
	return strstr(text, brackets);
}

static void start(void)
{
	unsigned int i;

	features = UBDX_F_EXTENTS;
	begin(UBDX_XFER_COPY, 30000, UBDX_RECOVERY_FAIL);
	for (i = 0; i < NR_FILES; i++)
		if (set_file(i, files[i]))
			bail("registering file %u failed", i);
}

/* ---- stripe ---- */

/* Make 4 KiB of the first disk fail, or work again. */
static void set_bad(off_t at, bool bad)
{
	char text[64];
	int fd = open("/sys/kernel/config/nullb/first/badblocks", O_WRONLY | O_CLOEXEC);

	snprintf(text, sizeof(text), "%c%lld-%lld", bad ? '+' : '-', (long long)at / 512,
		 (long long)at / 512 + 7);
	if (fd < 0 || write(fd, text, strlen(text)) < 0)
		bail("badblocks: %m");
	close(fd);
}

/* The half that fails ends long before the other. */
static void half_fails(void)
{
	const off_t half = CHUNK / 2;

	is(set_file(SECOND, files[SLOW]), 0, "the second file is on a slow disk");
	set_bad(10 * CHUNK + half, true);
	is(without_server(true, 20 * CHUNK + half, BYTES), -EIO,
	   "   a WRITE of two half chunks fails if the first does");
	set_bad(10 * CHUNK + half, false);
	is(without_server(true, 20 * CHUNK + half, BYTES), BYTES, "   or else it doesn't");
	is(set_file(SECOND, files[SECOND]), 0, "   the second file is back");
}

static void stripes(void)
{
	const off_t half = CHUNK / 2;
	const struct ubdx_map_extent extent = { .nr_sectors = 8, .flags = RW };

	is(run("ubdx-resolver load stripe --chunk 64K --files 2"), 0, "stripe is loaded");
	is(with_server(true, 0, BYTES), BYTES, "a device doesn't use it at once");
	is(set_resolver("stripe"), 0, "it is set");
	is(map_many(&extent, 1), -EBUSY, "   beside it there are no extents");
	is(without_server(true, 16 * CHUNK, BYTES), BYTES, "a WRITE of one chunk");
	ok(file_has(files[FIRST], 8 * CHUNK, pattern, BYTES), "   is on the first file");
	is(without_server(true, 17 * CHUNK, BYTES), BYTES, "the next one");
	ok(file_has(files[SECOND], 8 * CHUNK, pattern, BYTES), "   is on the second");
	is(without_server(true, 18 * CHUNK + half, BYTES), BYTES, "a WRITE of two half chunks");
	ok(file_has(files[FIRST], 9 * CHUNK + half, pattern, half), "   is half on the first");
	ok(file_has(files[SECOND], 9 * CHUNK, pattern + half, half), "   and half on the second");
	is(without_server(false, 18 * CHUNK + half, BYTES), BYTES, "   and is read again");
	ok(!memcmp(mem, pattern, BYTES), "   as it was written");

	half_fails();
	is(set_file(FIRST, files[SECOND]), 0, "another file takes the first one's place");
	memset(pattern, 0x5a, BYTES);
	is(without_server(true, 20 * CHUNK, BYTES), BYTES, "   and is written to");
	ok(file_has(files[SECOND], 10 * CHUNK, pattern, BYTES), "   with the WRITE's bytes");
	is(set_file(FIRST, -1), 0, "it is removed");
	is(with_server(true, 20 * CHUNK, BYTES), BYTES, "   and what is on it comes to the server");
	is(without_server(true, 21 * CHUNK, BYTES), BYTES, "   but not what is on the other");
	is(set_file(FIRST, files[FIRST]), 0, "it is back");
	is(without_server(true, 20 * CHUNK, BYTES), BYTES, "   and is used");
	is(run("ubdx-resolver unload stripe"), 0, "stripe is unloaded");
	ok(resolver_is("none"), "   and the device has none");
	is(with_server(true, 20 * CHUNK, BYTES), BYTES, "   so all comes to the server");
}

/* ---- hash ---- */

static int hash_map;

static int bpf(int command, union bpf_attr *attr)
{
	return neg(syscall(SYS_bpf, command, attr, sizeof(*attr)));
}

static int hash_open(const char *path)
{
	union bpf_attr attr = { .pathname = (uintptr_t)path };

	return bpf(BPF_OBJ_GET, &attr);
}

static int hash_set(off_t at, unsigned int file, off_t offset, bool read_only)
{
	const struct ubdx_hash_key key = { .chunk = at / CHUNK, .dev = raw.add.id };
	const struct ubdx_hash_value value = { .sector = offset >> 9,
					       .file = file,
					       .read_only = read_only };
	union bpf_attr attr = {
		.map_fd = hash_map,
		.key = (uintptr_t)&key,
		.value = (uintptr_t)&value,
	};

	return bpf(BPF_MAP_UPDATE_ELEM, &attr);
}

static int hash_delete(off_t at)
{
	const struct ubdx_hash_key key = { .chunk = at / CHUNK, .dev = raw.add.id };
	union bpf_attr attr = { .map_fd = hash_map, .key = (uintptr_t)&key };

	return bpf(BPF_MAP_DELETE_ELEM, &attr);
}

static void hashes(void)
{
	struct client c;

	is(run("ubdx-resolver load hash --chunk 64K --entries 8"), 0, "hash is loaded");
	hash_map = hash_open("/sys/fs/bpf/ubdx/hash/map");
	ok(hash_map >= 0, "the server has its map");
	is(set_resolver("hash"), 0, "it is set");
	is(with_server(true, AT, BYTES), BYTES, "what isn't in the map comes to the server");
	is(hash_set(AT, SECOND, 2 * AT, false), 0, "the server puts a chunk into the map");
	is(without_server(true, AT, BYTES), BYTES, "   and gets its WRITEs no more");
	ok(file_has(files[SECOND], 2 * AT, pattern, BYTES), "   which are where it said");
	is(with_server(true, AT + CHUNK, BYTES), BYTES, "   but those of other chunks");
	is(hash_set(AT, SECOND, 2 * AT, true), 0, "READs only");
	is(without_server(false, AT, BYTES), BYTES, "   are served");
	ok(!memcmp(mem, pattern, BYTES), "   with the right bytes");
	is(with_server(true, AT, BYTES), BYTES, "   and WRITEs come to the server");

	is(hash_set(AT, NR_FILES, 0, false), 0, "a file that isn't registered");
	is(with_server(true, AT, BYTES), BYTES, "   is a miss");
	is(hash_set(AT, UBDX_MAX_FILES, 0, false), 0, "a number that no file can have");
	is(with_server(true, AT, BYTES), BYTES, "   is a miss");
	is(hash_set(AT, FIRST, (64 << 20) - CHUNK / 2, false), 0,
	   "what lies beyond the file's end");
	is(with_server(true, AT, BYTES), BYTES, "   is a miss");

	is(hash_set(AT, SLOW, 0, false), 0, "a chunk on a slow disk");
	client_start(&c, true, mem, BYTES, AT);
	poll(NULL, 0, 1000);
	ok(!atomic_load(&c.done), "   a WRITE is under way");
	is(hash_delete(AT), 0, "   the server takes the chunk out of the map");
	is(take_back(AT, BYTES, UBDX_REVOKE_DRAIN), 0, "   and waits for what has used it");
	ok(within(1, atomic_load(&c.done)), "   until it has ended");
	is(client_end(&c), BYTES, "   well");
	is(with_server(true, AT, BYTES), BYTES, "   the next WRITE comes to the server");
	ok(resolver_is("hash"), "   the resolver is the device's still");
}

static void ends(void)
{
	is(hash_set(AT, FIRST, 0, false), 0, "a device with a resolver");
	is(without_server(true, AT, BYTES), BYTES, "   that is used");
	is(end(), 0, "   is deleted");

	is(run("ubdx-resolver unload hash"), 0, "hash is unloaded");
}

int main(int argc, char **argv)
{
	unsigned int i;

	if (argc != 1 + NR_FILES)
		bail("usage: resolver FIRST SECOND SLOW");
	for (i = 0; i < NR_FILES; i++) {
		files[i] = open(argv[1 + i], O_RDWR | O_DIRECT | O_CLOEXEC);
		if (files[i] < 0)
			bail("%s: %m", argv[1 + i]);
	}
	front_buffers();
	start();
	stripes();
	hashes();
	ends();
	return done();
}
