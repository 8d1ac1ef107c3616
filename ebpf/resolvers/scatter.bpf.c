// SPDX-License-Identifier: GPL-2.0
/*
 * scatter.bpf.c - a resolver that computes where target `scatter` has the device's chunks
 * (userspace/targets/scatter.c), for benchmarks.
 */
#include "vmlinux.h"
#include <bpf/bpf_helpers.h>
#include <bpf/bpf_tracing.h>

#include "ubdx_resolver.h"

const volatile __u64 nr_chunks = 1;
const volatile __u64 factor = 1;
const volatile __u32 chunk_shift; /* log2 of the sectors in a chunk */

SEC("struct_ops/resolve")
__u64 BPF_PROG(scatter_resolve, __u64 sector, __u32 nr_sectors, __u32 op, __u32 dev)
{
	__u64 place = (sector >> chunk_shift) * factor % nr_chunks;
	__u64 inside = sector & ((1ULL << chunk_shift) - 1);

	return UBDX_RESOLVED(0, (place << chunk_shift) + inside);
}

SEC(".struct_ops.link")
struct ubdx_resolver resolver = { .resolve = (void *)scatter_resolve };

char LICENSE[] SEC("license") = "GPL";
