/* SPDX-License-Identifier: GPL-2.0 WITH Linux-syscall-note */
/*
 * hash.h - the entries of the map of resolver hash. `ubdx-resolver load hash` pins the map as
 * /sys/fs/bpf/ubdx/NAME/map. A server fills the map with bpf(2). When the server has changed or
 * deleted an entry, UBDX_IOC_REVOKE with UBDX_REVOKE_DRAIN waits for the I/O that has used the old
 * entry.
 */
#ifndef UBDX_HASH_H
#define UBDX_HASH_H

/* A chunk of a device. */
struct ubdx_hash_key {
	__u64 chunk; /* number; chunk 0 begins with sector 0 */
	__u32 dev; /* the N of ubdxbN */
	__u32 zero;
};

/* Where the chunk is. */
struct ubdx_hash_value {
	__u64 sector; /* the chunk's first sector in the file */
	__u32 file; /* the file's index (UBDX_IOC_SET_FILE) */
	__u32 read_only; /* not 0: the server gets the WRITEs */
};

#endif /* UBDX_HASH_H */
