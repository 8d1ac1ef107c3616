#!/usr/bin/env bash
# SPDX-License-Identifier: GPL-2.0
#
# A file system on ubdx dirties more memory than there is. To write it back the kernel needs the
# server, and the server needs memory. The writes must end in every mode, with every byte in its
# place, whether the server writes its file with O_DIRECT or through the page cache, which is then
# dirty as well.
#
# lab: --mem 512 --timeout 600

# shellcheck disable=SC2317 # functions are called by ok
. tests/guest/lib/guest.sh

# A debug kernel's machine is slower and has more memory (lab/vm). There the test writes half as
# much data, and leaves less memory available (LEFT), so that the data still exceed the memory.
readonly JOBS=4 EACH=$((LESS > 1 ? 36 : 72)) LEFT=$((LESS > 1 ? 128 : 208)) # MiB
mkdir -p /tmp/mnt

# A pattern that zram compresses to almost nothing, so that the data take no memory.
fill() {
	within 240 fio --minimal --output=/dev/null --eta=never --name=storm --directory=/tmp/mnt --numjobs="$JOBS" --size="${EACH}m" \
		--verify=pattern --verify_pattern='"ubdx"%o' --verify_fatal=1 --rw="$1" "${@:2}"
}

storm() { fill randwrite --bs=64k --do_verify=0 --fallocate=none --end_fsync=1; }
look() { fill read --bs=64k; }

# Does a zone have so few free pages that kswapd runs? Not every kernel counts what kswapd does.
short_of_memory() {
	local what a b free=0 high=0
	while read -r what a b _; do
		case $what in
		pages) free=$b ;;
		high) high=$a ;;
		managed) ((a == 0 || free > high)) || return 0 ;;
		esac
	done </proc/zoneinfo
	return 1
}

# In the background: create /tmp/short once memory is short.
watch_memory() {
	rm -f /tmp/short
	until short_of_memory; do
		read -rt 0.1 <> <(:) || true
	done
	: >/tmp/short
}

# How many pages the kernel has scanned to reclaim memory.
scanned() {
	local name n sum=0
	while read -r name n; do
		[[ $name != pgscan_@(kswapd|direct) ]] || sum=$((sum + n))
	done </proc/vmstat
	echo $sum
}

# was_short SCANNED: was memory short since the kernel had scanned so many pages? watch_memory can
# miss a brief shortage, so /tmp/short is used only if the kernel has no counter pgscan_kswapd.
was_short() {
	if grep -q '^pgscan_kswapd ' /proc/vmstat; then
		(($(scanned) > $1))
	else
		test -e /tmp/short
	fi
}

# In MiB.
available() {
	local name kib
	while read -r name kib _; do
		[[ $name != MemAvailable: ]] || echo $((kib / 1024))
	done </proc/meminfo
}

load
left=$(available)
((left <= LEFT)) || echo $(((left - LEFT) / 2)) >/proc/sys/vm/nr_hugepages
fails "memory is not short yet" 1 '' short_of_memory
modprobe zram
echo 800M >/sys/block/zram0/disksize
# dirty pages may take most of the memory before the kernel throttles their writers
echo 70 >/proc/sys/vm/dirty_ratio
echo 60 >/proc/sys/vm/dirty_background_ratio

for mode in $(ubdx features --json | jq -r '.driver_xfer_modes[]'); do
	for how in '' --direct; do
		what="$mode${how:+, direct}"
		# the kernel throttles the server's writes, too; on a debug kernel for longer than
		# half a minute
		# shellcheck disable=SC2086 # none, or one
		add --target loop --file /dev/zram0 $how --queues 2 --depth 32 --max-io 256K --timeout 600 --xfer "$mode"
		is "$(<"/proc/$server/oom_score_adj")" -1000 "$what: the server will not be killed for lack of memory"
		mkfs.ext4 -q -E nodiscard "$dev"
		mount "$dev" /tmp/mnt
		watch_memory &
		watcher=$! before=$(scanned)
		ok "$what: more is written than there is memory" storm
		ok "$what: memory was short" was_short "$before"
		kill "$watcher" 2>/dev/null || true
		wait "$watcher" || true
		echo 3 >/proc/sys/vm/drop_caches
		ok "$what: and is there" look
		ok "$what: umount" within 60 umount /tmp/mnt
		ok "$what: it was in that mode" test "$(counted_in "$mode")" -gt 100
		is "$(errors)" 0 "$what: no request failed"
		ok "$what: check" e2fsck -fn "$dev"
		del "$dev"
		blkdiscard -f /dev/zram0
	done
done
fails "no process was killed for it" 1 '' grep -q 'Out of memory' <(dmesg)

finish
