#!/usr/bin/env bash
# SPDX-License-Identifier: GPL-2.0
#
# fuzz.t [OPTION...]: the driver survives hostile servers, callers and clients, whose steps are
# random. tests/fuzz/fuzz.c has the options. Without an option the test replays each bug that was
# found (tests/fuzz/regress/), then runs a rehearsal, in which each kind of step must work, and then
# fuzzes for $FUZZ_SECONDS from seed $FUZZ_SEED.
#
# The kernel must not clear the memory that it allocates: only then does a leak show old content.
#
# lab: --append init_on_alloc=0

. tests/guest/lib/guest.sh
shopt -s nullglob

# Opening a device number that has no device starts modprobe, which would take most of the time.
echo >/proc/sys/kernel/modprobe
# Adding and deleting a device waits for grace periods.
echo 1 >/sys/kernel/rcu_expedited

if (($# == 0)); then
	for file in tests/fuzz/regress/*; do set -- "$@" --replay "$file"; done
	set -- "$@" --seconds "${FUZZ_SECONDS:-10}" --seed "${FUZZ_SEED:-1}"
fi
exec bin/fuzz --module ubdx.ko --log "$OUT/fuzz.log" "$@"
