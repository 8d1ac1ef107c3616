#!/usr/bin/env bash
# SPDX-License-Identifier: GPL-2.0
#
# Data reads back as it was written under each I/O scheduler (schedulers merge, reorder and requeue
# requests), and while the scheduler is being changed.

# shellcheck disable=SC2317 # functions are called by ok
. tests/guest/lib/guest.sh

readonly ELEVATORS=(mq-deadline kyber bfq)

choose() { echo "$1" >"$sys/queue/scheduler"; }
chosen() { sed 's/.*\[\(.*\)\].*/\1/' "$sys/queue/scheduler"; }

verified() {
	run_fio --name=verify --filename="$dev" --direct=1 --ioengine=io_uring --iodepth=32 --numjobs=2 --size=4m \
		--offset_increment=4m --rw=randwrite --bssplit=512/30:4k/40:64k/30 --verify=crc32c --verify_interval=512 \
		--verify_fatal=1 --verify_backlog=64
}

# Small buffered writes, one after the other: these can be merged.
merged() {
	local before after
	before=$(counted write)
	dd if=/tmp/want of="$dev" bs=4k status=none conv=fsync
	after=$(counted write)
	echo "$before -> $after"
	((${after% *} - ${before% *} < 1024))
	cmp /tmp/want "$dev"
}

load
add --target mem --size 8M --queues 2 --depth 16
noise /tmp/want $((8 << 20))

usable=(none)
for elevator in "${ELEVATORS[@]}"; do
	# choose also loads the scheduler's module
	if ! choose "$elevator" 2>/dev/null; then
		skip "$elevator" "not in this kernel"
		continue
	fi
	usable+=("$elevator")
	is "$(chosen)" "$elevator" "$elevator can be chosen"
	ok "$elevator: mixed writes and reads, verified" verified
	ok "$elevator: adjacent writes are merged, and arrive" merged
done
choose none
what="every scheduler can be chosen"
if [[ $UBDX_KERNEL == *-debug ]]; then
	skip "$what" "a debug kernel need not have them"
else
	is ${#usable[@]} $((${#ELEVATORS[@]} + 1)) "$what"
fi

start_load --bssplit=512/30:4k/40:64k/30
for ((i = 0; i < 20; i++)); do
	choose "${usable[i % ${#usable[@]}]}" || break
done
is $i 20 "changed 20 times under load"
stop_load "the load went on, and read what it had written"

# While the scheduler holds requests: first delete the device; then, with a new device, kill the
# server.
for elevator in "${usable[@]:1}"; do
	choose "$elevator"
	start_load --bs=4k 2>/dev/null
	ok "$elevator: deleted by force under load" del --force "$dev"
	wait "$load_pid" || true
	add --target mem --size 8M --queues 2 --depth 16
	choose "$elevator"
	start_load --bs=4k 2>/dev/null
	kill -KILL "$server"
	ok "$elevator: the disk goes away when its server is killed under load" until_ok 20 gone "$sys"
	wait "$load_pid" || true
	ubdx del "$dev"
	add --target mem --size 8M --queues 2 --depth 16
done

finish
