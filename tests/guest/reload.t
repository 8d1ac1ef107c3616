#!/usr/bin/env bash
# SPDX-License-Identifier: GPL-2.0
#
# The module can be loaded, used and unloaded a hundred times (25 times on a debug kernel), and
# leaks no memory.
#
# alone: it measures memory, and changes settings for that

# shellcheck disable=SC2317 # functions are called by ok
. tests/guest/lib/guest.sh

readonly ROUNDS=$((100 / LESS)) LIMIT=1024 # KiB

once() {
	local dev
	load
	dev=$(ubdx add --target null --size 1M --queues 2 --depth 256 --prefault 0)
	dd if=/dev/zero of="$dev" bs=64k count=1 oflag=direct status=none
	ubdx del "$dev"
	# At once: when the command has ended, the module can be unloaded.
	rmmod ubdx
}

meminfo() { sed -n "s/^$1:\s*\([0-9]*\) kB/\1/p" /proc/meminfo; }

# Memory in use, in KiB: "UNRECLAIMABLE_SLAB ALL".
used() {
	local cache
	# Leave out caches, and memory that is freed with a delay.
	echo 3 >/proc/sys/vm/drop_caches
	echo 1 >/proc/sys/vm/compact_memory
	# KASAN delays the reuse of freed objects.
	for cache in /sys/kernel/slab/*/shrink; do echo 1 >"$cache"; done
	echo "$(meminfo SUnreclaim) $(($(meminfo MemTotal) - $(meminfo MemFree)))"
}

small() { (($(used | cut -d' ' -f"$1") - before[$1 - 1] < LIMIT)); }

# Free pages that each CPU keeps count as used: after boot there are tens of megabytes.
echo 100000 >/proc/sys/vm/percpu_pagelist_high_fraction
# Freeing a queue waits for grace periods.
echo 1 >/sys/kernel/rcu_expedited

# The first rounds fill caches.
for ((i = 0; i < 5; i++)); do once; done
read -ra before < <(used)
for ((i = 0; i < ROUNDS; i++)); do
	once || break
done
is "$i" "$ROUNDS" "the module was loaded, used and unloaded $ROUNDS times"
fails "it isn't loaded now" 1 '' grep -q '^ubdx ' /proc/modules
ok "nothing of it is left in sysfs" gone /sys/module/ubdx
ok "nor in /dev" gone /dev/ubdx-control
ok "nor a process" test -z "$(pgrep -x ubdx)"
ok "slabs have not grown by $LIMIT KiB" until_ok 20 small 1
ok "nor has memory in use" until_ok 20 small 2
echo "# before, after: ${before[*]}, $(used)"

load
finish
