#!/usr/bin/env bash
# SPDX-License-Identifier: GPL-2.0
#
# CPUs go offline and come back under load. They also go offline while requests wait for a server.
#
# lab: --smp 4

# shellcheck disable=SC2317 # functions are called by ok
. tests/guest/lib/guest.sh

load
add --target mem --size 16M --queues 4
start_load
status=0
for ((i = 0; i < 12; i++)); do
	cpu=/sys/devices/system/cpu/cpu$((i % 3 + 1))/online
	echo 0 >"$cpu" || status=1
	echo 1 >"$cpu" || status=1
done
is $status 0 "CPUs go and come back"
stop_load "no request fails, no byte is wrong"
del "$dev"

# ---- without a server ----

wait_for_it() {
	local pid
	for pid in "${readers[@]}"; do
		grep -q '^State:.*D' "/proc/$pid/status" || return
	done
}
# all_to 0|1: take all CPUs but the first offline, or back online
all_to() {
	local cpu
	for cpu in 1 2 3; do
		echo "$1" >"/sys/devices/system/cpu/cpu$cpu/online" || return
	done
}

truncate -s 16M /tmp/file
add --target loop --file /tmp/file --queues 4 --recovery reissue
kill -KILL "$(<"$sys/ubdx/server_pid")"
ok "the device waits for a server" until_ok 10 is_state quiesced
readers=()
for cpu in 0 1 2 3; do
	taskset -c $cpu dd if="$dev" of=/tmp/read$cpu bs=4k count=1 skip=$cpu iflag=direct status=none &
	readers+=($!)
done
ok "and a request from each CPU waits, too" until_ok 10 wait_for_it
ok "three CPUs go offline" all_to 0
ok "another server takes over with one CPU" within 20 ubdx recover --target loop --file /tmp/file "$dev"
status=0
for pid in "${readers[@]}"; do wait "$pid" || status=1; done
is $status 0 "all have been served"
ok "the CPUs come back" all_to 1
finish
