// SPDX-License-Identifier: GPL-2.0
/*
 * fill-hash.c - fill the map of the resolver `hash` with the places of target `scatter`:
 *
 *	fill-hash MAP DEVICE CHUNK_KIB NR_CHUNKS
 *
 * MAP is the map's path in bpffs, DEVICE the device's number.
 */
#include <bpf/bpf.h>
#include <err.h>
#include <errno.h>
#include <stdlib.h>

#include <linux/types.h>

#include "resolvers/hash.h"
#include "scatter.h"

int main(int argc, char **argv)
{
	unsigned long long chunk, nr, factor, sectors;
	struct ubdx_hash_value value = {};
	struct ubdx_hash_key key = {};
	int map;

	if (argc != 5)
		errx(EXIT_FAILURE, "usage: fill-hash MAP DEVICE CHUNK_KIB NR_CHUNKS");
	map = bpf_obj_get(argv[1]);
	if (map < 0)
		err(EXIT_FAILURE, "%s", argv[1]);
	key.dev = strtoul(argv[2], NULL, 10);
	sectors = strtoull(argv[3], NULL, 10) * 2;
	nr = strtoull(argv[4], NULL, 10);
	factor = ubdx_scatter_factor(nr);
	for (chunk = 0; chunk < nr; chunk++) {
		key.chunk = chunk;
		value.sector = chunk * factor % nr * sectors;
		if (bpf_map_update_elem(map, &key, &value, BPF_ANY))
			err(EXIT_FAILURE, "chunk %llu", chunk);
	}
	return EXIT_SUCCESS;
}
