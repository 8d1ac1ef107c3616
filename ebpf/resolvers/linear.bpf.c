// SPDX-License-Identifier: GPL-2.0
/*
 * linear.bpf.c - a resolver: the device is a part of its server's file 0.
 */
#include "vmlinux.h"
#include <bpf/bpf_helpers.h>
#include <bpf/bpf_tracing.h>

#include "ubdx_resolver.h"

const volatile __u64 first_sector; /* the part's first sector in the file */

SEC("struct_ops/resolve")
__u64 BPF_PROG(linear_resolve, __u64 sector, __u32 nr_sectors, __u32 op, __u32 dev)
{
	return UBDX_RESOLVED(0, first_sector + sector);
}

SEC(".struct_ops.link")
struct ubdx_resolver resolver = { .resolve = (void *)linear_resolve };

char LICENSE[] SEC("license") = "GPL";
