/* SPDX-License-Identifier: GPL-2.0 */
/*
 * fuzz_recovery.h - what honest devices hold, shared by their servers (fuzz_recovery.c) and their
 * checkers (fuzz_witness.c).
 */
#ifndef UBDX_FUZZ_RECOVERY_H
#define UBDX_FUZZ_RECOVERY_H

#include "fuzz.h"

#define UNIT 4096UL
#define WORDS (UNIT / 8)
/* A size that no other device of the fuzzer has, by which a witness recognises an honest device. */
#define UNITS 131U

struct store {
	uint64_t data[UNITS][WORDS];
	/* The last versions that were acknowledged, tried, and seen by a server. */
	struct {
		atomic_uint acked, tried, seen;
	} unit[UNITS];
	/* The number of servers that have opened the channel, and the one that STARTed last. */
	atomic_uint opened, started;
};

extern struct store *stores; /* [FUZZ_HONEST] */
extern const uint32_t store_recovery[FUZZ_HONEST]; /* enum ubdx_recovery */
/*
 * A file to lock, see fcntl(2): byte nr * UNITS + unit is that unit's lock. Each server of a device
 * holds SERVERS_LOCK + nr for reading as long as it lives.
 */
extern int store_locks;
#define SERVERS_LOCK 0x10000

/* A unit's word after a WRITE of that version; 0: it was never written. */
static inline uint64_t word_of(unsigned int version, unsigned int unit, unsigned int i)
{
	return version ? (uint64_t)version << 32 | unit << 12 | i : 0;
}

#endif /* UBDX_FUZZ_RECOVERY_H */
