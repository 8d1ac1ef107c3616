#!/usr/bin/env bash
# SPDX-License-Identifier: GPL-2.0
#
# Each queue's memory, in the driver and in the server, is on the node of the CPUs that use the
# queue.
#
# lab: --smp 4 --numa

# shellcheck disable=SC2317 # functions are called by ok
. tests/guest/lib/guest.sh

node_of_cpu() { set -- "/sys/devices/system/cpu/cpu$1/node"*; echo "${1##*node}"; }
field() { sed -n "s/^queue $1 .*$2 \([0-9]*\).*/\1/p" "$sys/ubdx/queues"; }
cpus_of_queue() { tr -d ' ' <"$sys/mq/$1/cpu_list"; }
allowed() { sed -n 's/^Cpus_allowed_list:\s*//p' "/proc/$server/task/$1/status"; }

# pages NODE: how many of the server's pages are on that node. Nearly all of them are its buffers.
pages() {
	local n sum=0
	while read -r n; do
		sum=$((sum + n))
	done < <(grep ' anon=' "/proc/$server/numa_maps" | grep -o "N$1=[0-9]*" | cut -d= -f2)
	echo $sum
}

load
is "$(cat /sys/devices/system/node/online)" 0-1 "two nodes"

# ---- each queue on the node of its CPUs ----

add --target null --size 64M --queues 4 --depth 64
for q in 0 1 2 3; do
	is "$(field $q node)" "$(node_of_cpu "$(cpus_of_queue $q)")" "queue $q: descriptors are on its CPU's node"
done
is "$(cut -d' ' -f4 "$sys/ubdx/queues" | sort | uniq -c | tr -s ' \n' ' ')" " 2 0 2 1 " "two queues on each node"
del "$dev"

# ---- one node for all, if requested ----

for node in 0 1; do
	cpus=$(<"/sys/devices/system/node/node$node/cpulist")
	add --target null --size 64M --queues 2 --depth 64 --max-io 64K --prefault 64K --numa-node $node
	is "$(field 0 node)$(field 1 node)" $node$node "--numa-node $node: descriptors"
	for q in 0 1; do
		is "$(allowed "$(field $q task)")" "$cpus" "--numa-node $node: queue $q's thread"
	done
	ok "--numa-node $node: the buffers" test "$(pages $node)" -ge 2048
	what="--numa-node $node: nearly nothing elsewhere"
	if [[ ${ASAN_OPTIONS:-} ]]; then
		skip "$what" "ASan's own memory can be on any node"
	else
		ok "$what" test "$(pages $((1 - node)))" -le 128
	fi
	del "$dev"
done

# ---- --cpus: buffers are on the node of the CPUs to which the threads are pinned ----

add --target null --size 64M --queues 2 --depth 64 --max-io 64K --prefault 64K --cpus 2,3
ok "--cpus: buffers are on the node of these CPUs" test "$(pages 1)" -ge 2048
del "$dev"
fails "a node that isn't there" 1 "NUMA node 2" ubdx add --target null --size 1M --numa-node 2

finish
