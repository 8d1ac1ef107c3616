/* SPDX-License-Identifier: GPL-2.0 WITH Linux-syscall-note */
/*
 * ubdx_resolver.h - the struct_ops type of resolvers: BPF programs that say where the sectors of a
 * device are. A resolver takes the place of a device's extents (UBDX_F_EXTENTS). The driver and BPF
 * programs include this file, and define __u32 and __u64 first.
 */
#ifndef UBDX_RESOLVER_H
#define UBDX_RESOLVER_H

#define UBDX_RESOLVER_NAME 16

/*
 * The answer of resolve(): sector @to, below 2^48, of the file with index @file
 * (UBDX_IOC_SET_FILE). It is never 0, so that a program that fails doesn't name a place.
 */
#define UBDX_RESOLVER_FILE_SHIFT 48
#define UBDX_RESOLVED(file, to) ((__u64)((file) + 1) << UBDX_RESOLVER_FILE_SHIFT | (to))
/* The other answer: the server gets the bio. */
#define UBDX_RESOLVER_MISS 0

/**
 * struct ubdx_resolver - a resolver.
 * @name:	1 to 15 letters, digits, '-' and '_'; not "none"; no other resolver has it.
 * @chunk_sectors: 0, or a power of two: all sectors of a call are in one chunk of this size. If
 *		the answer isn't a miss, a bio that goes beyond the chunk is split at the chunk's
 *		end. A chunk must not be smaller than the device's logical block.
 * @resolve:	where are the @nr_sectors sectors from @sector on of device ubdxb@dev, for a READ or
 *		WRITE (@op is UBDX_OP_READ or UBDX_OP_WRITE)? Returns UBDX_RESOLVED(), if the
 *		sectors are contiguous in the file, or UBDX_RESOLVER_MISS. An answer that can't be
 *		used is taken for a miss, and counted (`invalid` in sysfs): there is no such file;
 *		the file is a disk with extents itself; it isn't open for the direction; the sectors
 *		are beyond its end, or a WRITE is beyond the RLIMIT_FSIZE with which it was
 *		registered; or the place isn't aligned to the device's logical block. @resolve runs in an RCU read-side section, so
 *		it can't sleep. The driver calls it for each READ and WRITE without REQ_PREFLUSH,
 *		and for each part of a split one.
 */
struct ubdx_resolver {
	char name[UBDX_RESOLVER_NAME];
	__u32 chunk_sectors;
	__u64 (*resolve)(__u64 sector, __u32 nr_sectors, __u32 op, __u32 dev);
};

#endif /* UBDX_RESOLVER_H */
