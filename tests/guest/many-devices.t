#!/usr/bin/env bash
# SPDX-License-Identifier: GPL-2.0
#
# A thousand idle devices (fewer on a slow machine) fit into a machine of 2 GiB, and leave nothing
# behind; a machine that is short of memory refuses the next device, and kills nothing.
#
# lab: --mem 2048 --timeout 1800

# shellcheck disable=SC2317 # functions are called by ok
. tests/guest/lib/guest.sh

readonly HALF=$((500 / SLOW)) EACH=500 # KiB a device: 512 kB
readonly DEVICES=$((2 * HALF))
readonly MIB=1048576

meminfo() { sed -n "s/^$1:\s*\([0-9]*\) kB/\1/p" /proc/meminfo; }

# Memory in use, in KiB, without memory that the kernel can free at once.
used() {
	local cache
	echo 3 >/proc/sys/vm/drop_caches
	for cache in /sys/kernel/slab/*/shrink; do echo 1 >"$cache"; done
	echo $(($(meminfo MemTotal) - $(meminfo MemFree)))
}
below() { (($(used) < $1)); }

# refuses TEXT CMD...: CMD fails with status 1 and one line, which has TEXT.
refuses() {
	local text=$1 status=0 output
	shift
	output=$("$@" 2>&1 >/dev/null) || status=$?
	echo "$output"
	((status == 1)) && [[ $output == *"$text"* && $output != *$'\n'* ]]
}
no_oom() { ! dmesg | grep -iE 'out of memory|oom-kill'; }
# Add a device. A warning is allowed.
adds() { dev=$(ubdx add "$@"); }

echo 100000 >/proc/sys/vm/percpu_pagelist_high_fraction
# A deletion mostly waits for grace periods.
echo 1 >/sys/kernel/rcu_expedited
insmod ubdx.ko "max_devices=$DEVICES"

# ---- many of them ----

adds --target null --size 1M
del "$dev"
before=$(used)
add_many() {
	local i
	for ((i = 0; i < HALF; i++)); do
		ubdx add --target null --size 1M >/dev/null || return
	done
}
start=$SECONDS
add_many &
half=$!
ok "$HALF devices are added" add_many
status=0
wait $half || status=$?
is $status 0 "$HALF others at the same time"
took=$((SECONDS - start))
is "$(ubdx list --json | jq length)" $DEVICES "and are there"
with=$(used)
echo "# $((took * 1000 / DEVICES)) ms and $(((with - before) / DEVICES)) KiB each"
if [[ $UBDX_KERNEL == *-debug ]]; then
	skip "each takes $EACH KiB at most" "the kernel's detectors add to each allocation"
else
	ok "each takes $EACH KiB at most" test $(((with - before) / DEVICES)) -le $EACH
fi
# adding one takes some 100 ms if nothing else runs
ok "adding one takes a second at most" test $took -le $((DEVICES * SLOW))
ok "each is served" dd if="/dev/ubdxb$((DEVICES - 1))" of=/dev/null bs=4k count=1 iflag=direct status=none
start=$SECONDS
ok "all are deleted" del --all
echo "# $(((SECONDS - start) * 1000 / DEVICES)) ms each to delete"
ok "memory is as before" until_ok 60 below $((before + 16384))
echo "# before, with them, after: $before, $with, $(used)"

# ---- a machine that is short of memory ----

# After fragmentation the kernel keeps more memory free for a while (watermark boost). MemAvailable
# doesn't include that, so the file below would take too much, and a process would be killed.
echo 0 >/proc/sys/vm/watermark_boost_factor
mkdir -p /tmp/hog
mount -t tmpfs -o size=100% hog /tmp/hog
# Fill memory until a little less is available than a new device must leave (1/32 of all memory).
# This is done in steps, because MemAvailable is an estimate, and can be too high.
fill() {
	while (($(meminfo MemAvailable) > 62 * 1024)); do
		head -c $((2 * MIB)) /dev/zero >>/tmp/hog/file
	done
}
# When memory is short the kernel may find some more: KASAN, for example, gives back freed memory
# that it has kept. So more than one attempt may be needed.
is_refused() {
	local i
	for ((i = 0; i < 10; i++)); do
		fill
		! refuses "memory is short: the device needs" ubdx add --target null --size 1M || return 0
		del --all
	done
	return 1
}
ok "memory is short: a device is refused" is_refused
ok "with more buffers, too" refuses "--prefault 0 needs less" ubdx add --target null --size 1M --prefault 256K
is "$(ubdx list --json)" "[]" "and none is left"
umount /tmp/hog
ok "with the memory back it is added" adds --target null --size 1M
ok "nothing was killed" no_oom
del --all

# ---- a target that is larger than the memory ----

ok "mem: a size above the available memory is refused" refuses "--force-size allows that" ubdx add --target mem --size 1T
ok "unless --force-size is given" adds --target mem --size 1T --force-size
del --all

# ---- a memory cgroup ----

readonly group=/sys/fs/cgroup/small
mkdir $group
echo 40M >$group/memory.max
in_group() { (echo "$BASHPID" >"$group/cgroup.procs" && exec "$@"); }
warns() {
	in_group ubdx add --target null --size 1M --depth 128 "$@" >/tmp/out 2>/tmp/err
	cat /tmp/err
	grep -q 'can grow to 64 MiB, more than the memory cgroup has (40 MiB)' /tmp/err
}
ok "a cgroup smaller than the buffers: a warning" warns
ok "smaller than what is needed at once: refused" refuses "memory cgroup has" \
	in_group ubdx add --target null --size 1M --depth 128 --prefault 512K
del --all

# A device's kernel memory is charged to the caller's cgroup: here, for each of 8192 tags, a slot,
# stamps, a descriptor and a parked command.
kernel() { sed -n 's/^kernel \([0-9]*\)$/\1/p' $group/memory.stat; }
echo 200M >$group/memory.max
was=$(kernel)
ok "a device with 8192 tags" in_group ubdx add --target null --size 1M --queues 2 --depth 4096 --max-io 4096
echo "# kernel memory in the cgroup: $(($(kernel) - was))"
ok "its kernel memory is the cgroup's" test $(($(kernel) - was)) -ge $((4 * MIB))

finish
