/* SPDX-License-Identifier: GPL-2.0 */
/*
 * fuzz_recovery.h - what honest devices hold: shared by their servers (fuzz_recovery.c) and by
 * those who look (fuzz_witness.c).
 */
#ifndef UBDX_FUZZ_RECOVERY_H
#define UBDX_FUZZ_RECOVERY_H

#include "fuzz.h"

#define UNIT 4096UL
#define WORDS (UNIT / 8)
/*
 * A size that no other device of the fuzzer has: by it a witness knows that this is an honest one.
 */
#define UNITS 131U

struct store {
	uint64_t data[UNITS][WORDS];
	/* Versions: the last that was acknowledged, that was tried, and that a server has seen. */
	struct {
		atomic_uint acked, tried, seen;
	} unit[UNITS];
	/* Servers that have opened the channel, and which of them was the last to START. */
	atomic_uint opened, started;
};

extern struct store *stores; /* [FUZZ_HONEST] */
extern const uint32_t store_recovery[FUZZ_HONEST]; /* enum ubdx_recovery */
/*
 * A file to lock, see fcntl(2): byte nr * UNITS + unit is that unit's lock; SERVERS_LOCK + nr is
 * held for reading by each server of a device for as long as it lives.
 */
extern int store_locks;
#define SERVERS_LOCK 0x10000

/* What a unit's word is after a WRITE of that version; 0: it was never written. */
static inline uint64_t word_of(unsigned int version, unsigned int unit, unsigned int i)
{
	return version ? (uint64_t)version << 32 | unit << 12 | i : 0;
}

#endif /* UBDX_FUZZ_RECOVERY_H */
