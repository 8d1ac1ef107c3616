#!/usr/bin/env bash
# SPDX-License-Identifier: GPL-2.0
#
# CPUs come and go under load.
#
# lab: --smp 4

# shellcheck disable=SC2317 # functions are called by ok
. tests/vm/lib.sh

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
finish
