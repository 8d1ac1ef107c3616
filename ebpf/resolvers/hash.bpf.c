// SPDX-License-Identifier: GPL-2.0
/*
 * hash.bpf.c - a resolver that looks chunks up in a hash map, which the server fills. Chunks that aren't
 * in the map go to the server. The map's keys and values are those of hash.h.
 */
#include "vmlinux.h"
#include <bpf/bpf_helpers.h>
#include <bpf/bpf_tracing.h>

#include "hash.h"
#include "ubdx_resolver.h"

struct {
	__uint(type, BPF_MAP_TYPE_HASH);
	__type(key, struct ubdx_hash_key);
	__type(value, struct ubdx_hash_value);
	__uint(max_entries, 65536);
} chunks SEC(".maps");

const volatile __u32 chunk_shift; /* log2 of the sectors in a chunk */

SEC("struct_ops/resolve")
__u64 BPF_PROG(hash_resolve, __u64 sector, __u32 nr_sectors, __u32 op, __u32 dev)
{
	struct ubdx_hash_key key = { .chunk = sector >> chunk_shift, .dev = dev };
	const volatile struct ubdx_hash_value *value = bpf_map_lookup_elem(&chunks, &key);
	struct ubdx_hash_value found, again;

	if (!value)
		return UBDX_RESOLVER_MISS;
	found = *value;
	/*
	 * The map reuses a replaced or deleted element for another key at once, even while a program
	 * reads it. So look the key up again: the value is the chunk's if the key still has this
	 * element, and the element had the same value before and after the look-up.
	 */
	if (bpf_map_lookup_elem(&chunks, &key) != value)
		return UBDX_RESOLVER_MISS;
	again = *value;
	if (found.sector != again.sector || found.file != again.file ||
	    found.read_only != again.read_only)
		return UBDX_RESOLVER_MISS;
	if ((op && found.read_only) || found.file >= 0xffff || found.sector >> 48)
		return UBDX_RESOLVER_MISS;
	return UBDX_RESOLVED(found.file, found.sector + (sector & ((1ULL << chunk_shift) - 1)));
}

SEC(".struct_ops.link")
struct ubdx_resolver resolver = { .resolve = (void *)hash_resolve };

char LICENSE[] SEC("license") = "GPL";
