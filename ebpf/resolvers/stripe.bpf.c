// SPDX-License-Identifier: GPL-2.0
/*
 * stripe.bpf.c - a resolver: the device's chunks lie in turn on its server's files 0, 1, ..., as in
 * RAID 0.
 */
#include "vmlinux.h"
#include <bpf/bpf_helpers.h>
#include <bpf/bpf_tracing.h>

#include "ubdx_resolver.h"

const volatile __u32 nr_files = 1;
const volatile __u32 chunk_shift; /* log2 of the sectors in a chunk */

SEC("struct_ops/resolve")
__u64 BPF_PROG(stripe_resolve, __u64 sector, __u32 nr_sectors, __u32 op, __u32 dev)
{
	__u64 chunk = sector >> chunk_shift;
	__u64 inside = sector & ((1ULL << chunk_shift) - 1);

	return UBDX_RESOLVED(chunk % nr_files, (chunk / nr_files << chunk_shift) + inside);
}

SEC(".struct_ops.link")
struct ubdx_resolver resolver = { .resolve = (void *)stripe_resolve };

char LICENSE[] SEC("license") = "GPL";
