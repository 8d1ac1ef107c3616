#!/usr/bin/env bash
# SPDX-License-Identifier: GPL-2.0
#
# fuzz.t [OPTION...]: whatever hostile servers, callers and clients do, chosen by chance, the driver
# holds: see tests/fuzz/fuzz.c, which has the options. Without one: each bug that was found once, again
# (tests/fuzz/regress/), then a rehearsal, in which each kind of step has to work, and then $FUZZ_SECONDS
# of $FUZZ_SEED.
#
# The kernel is not to clear the memory that it gives out, so that mistakes show what was in it.
#
# lab: --append init_on_alloc=0

. tests/guest/lib/guest.sh
shopt -s nullglob

# A missing device's number asks for a module; starting modprobe for that takes longer than all else.
echo >/proc/sys/kernel/modprobe
# Devices come and go, and each waits for grace periods.
echo 1 >/sys/kernel/rcu_expedited

if (($# == 0)); then
	for file in tests/fuzz/regress/*; do set -- "$@" --replay "$file"; done
	set -- "$@" --seconds "${FUZZ_SECONDS:-10}" --seed "${FUZZ_SEED:-1}"
fi
exec bin/fuzz --module ubdx.ko --log "$OUT/fuzz.log" "$@"
