#!/usr/bin/env bash
# SPDX-License-Identifier: GPL-2.0
#
# Queues are served in parallel: each CPU's requests by its own queue, each queue by its own thread,
# on the CPUs that were requested. The shallowest and the deepest queues work. A slow file has as
# many requests in flight as the mode allows. Several devices can be added and deleted at the same
# time.
#
# lab: --smp 4

# shellcheck disable=SC2317 # functions are called by ok
. tests/guest/lib/guest.sh

readonly MIXED=512/30:4k/40:64k/30

task_of() { sed -n "s/^queue $1 .*task \([0-9]*\) *$/\1/p" "$sys/ubdx/queues"; }

# verifying SIZES OPTION...
verifying() {
	local sizes=$1
	shift
	run_fio --name=verify --direct=1 --ioengine=io_uring --rw=randwrite --verify=crc32c --verify_interval=512 \
		--verify_fatal=1 --bssplit="$sizes" "$@"
}

# One job for each CPU, each in a region of its own.
on_four_cpus() {
	verifying "$MIXED" --filename="$dev" --numjobs=4 --cpus_allowed=0-3 --cpus_allowed_policy=split --size=2m \
		--offset_increment=2m --iodepth=16
}

load

# ---- four queues ----

add --target mem --size 8M --queues 4 --cpus 3,2,1,0
is "$(cat "$sys"/mq/{0,1,2,3}/cpu_list | sort | tr '\n' ' ')" "0 1 2 3 " "each CPU has a queue of its own"
is "$(wc -l <"$sys/ubdx/queues")" 4 "four queues"
is "$(dd if="$sys/ubdx/queues" bs=7 status=none | cksum)" "$(cksum <"$sys/ubdx/queues")" "sysfs can be read in pieces of any length"
is "$(printf '%s\n' "/proc/$server/task/"*"/comm" | xargs cat | grep -c "^ubdx")" 5 "each with a thread, beside the command's own"
is "$(for q in 0 1 2 3; do task_of $q; done | sort -u | wc -l)" 4 "each queue has another thread"
for q in 0 1 2 3; do
	is "$(taskset -cp "$(task_of $q)")" "pid $(task_of $q)'s current affinity list: $((3 - q))" "queue $q is served where --cpus says"
done

# The driver's trace event says by which queue a request came.
seen_queues() {
	local events=/sys/kernel/tracing/events/ubdx/ubdx_done
	: >/sys/kernel/tracing/trace
	echo 1 >$events/enable
	taskset -c "$1" dd if="$dev" of=/dev/null bs=4k count=16 iflag=direct status=none
	echo 0 >$events/enable
	grep -o 'queue=[0-9]*' /sys/kernel/tracing/trace | sort | uniq -c
}
for q in 0 1 2 3; do
	cpu=$(<"$sys/mq/$q/cpu_list")
	is "$(seen_queues "$cpu")" "     16 queue=$q" "requests of CPU $cpu come by queue $q"
done
ok "four jobs at a time, verified" on_four_cpus
del "$dev"

# ---- depth ----

add --target mem --size 8M --queues 1 --depth 1
is "$(limit nr_requests)" 1 "depth 1"
ok "depth 1: four jobs, verified" on_four_cpus
del "$dev"

add --target mem --size 8M --queues 2 --depth 1024
is "$(limit nr_requests)" 1024 "depth 1024"
ok "depth 1024: so many requests at a time, verified" verifying 4k/100 --filename="$dev" --size=8m \
	--iodepth=1024 --iodepth_batch=256
del "$dev"

# ---- four devices, one server each ----

paths=() pids=()
for i in 0 1 2 3; do
	add --target mem --size 4M --queues 2 --max-io 64K
	paths+=("$dev")
	verifying "$MIXED" --filename="$dev" --size=4m --iodepth=8 &
	pids+=($!)
done
is "$(ubdx list --json | jq length)" 4 "four devices at a time"
status=0
for i in 2 0 3 1; do
	wait "${pids[i]}" || status=1
	ubdx del "${paths[i]}" >/dev/null || status=1
done
is $status 0 "each keeps its own data, while others are deleted"

# ---- devices that are added and deleted in parallel ----

churn() {
	local i path
	for ((i = 0; i < 6; i++)); do
		path=$(ubdx add --target mem --size 1M --depth 4 --max-io 4096)
		dd if=/dev/zero of="$path" bs=4k count=4 oflag=direct conv=nocreat,notrunc status=none
		del "$path"
	done
}

churn_side_by_side() {
	local pids=() i status=0
	for i in 0 1 2 3; do
		churn &
		pids+=($!)
	done
	for i in "${pids[@]}"; do
		wait "$i" || status=1
	done
	return "$status"
}

ok "devices come and go side by side" churn_side_by_side
is "$(ubdx list --json | jq length)" 0 "and all are gone in the end"

# ---- a slow file: splice has one request a queue in flight, the other modes have all ----

# A device on which each WRITE takes 0.3 s.
modprobe null_blk nr_devices=1 gb=1 bs=4096 irqmode=2 completion_nsec=300000000 hw_queue_depth=64
echo 2 >/sys/block/nullb0/queue/nomerges

# most_in_flight: the largest number of requests in flight while 4 CPUs write 4 blocks each, all at
# once.
most_in_flight() {
	local most=0 now pid
	echo 2 >"$sys/queue/nomerges"
	run_fio --name=slow --filename="$dev" --direct=1 --ioengine=io_uring --iodepth=4 --rw=write --bs=4k --numjobs=4 \
		--cpus_allowed=0-3 --cpus_allowed_policy=split --size=16k --offset_increment=1m &
	pid=$!
	while kill -0 $pid 2>/dev/null; do
		read -r _ now </sys/block/nullb0/inflight
		((now <= most)) || most=$now
		read -rt 0.01 <> <(:) || true
	done
	wait $pid
	echo "$most"
}

# reaches NUMBER: in one of ten rounds, at least NUMBER requests are in flight. A slow machine needs
# more than one round.
reaches() {
	local round
	for ((round = 0; round < 10; round++)); do
		(($(most_in_flight) < $1)) || return 0
	done
	return 1
}

for queues in 1 4; do
	add --target loop --file /dev/nullb0 --direct --queues $queues --xfer splice
	most=$(most_in_flight)
	ok "splice, $queues queues: never more than $queues in flight ($most)" test "$most" -le $queues
	ok "splice, $queues queues: $queues" reaches $queues
	del "$dev"
done
for mode in copy user map; do
	add --target loop --file /dev/nullb0 --direct --queues 1 --xfer $mode
	ok "$mode: 16 in flight from one queue" reaches 16
	del "$dev"
done
rmmod null_blk

finish
