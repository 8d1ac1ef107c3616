#!/usr/bin/env bash
# SPDX-License-Identifier: GPL-2.0
#
# lab: --clock count --timeout 600
#
# ubdx-trace on the counting clock: its counts are right there, too, and its unit is instructions.

# shellcheck disable=SC2317 # functions are called by ok
. tests/guest/lib/guest.sh

readonly REQUESTS=200

if [[ ! -e /sys/kernel/btf/vmlinux ]]; then
	skip "what it traces" "this kernel has no BTF"
	load
	finish
fi

reads() { dd if="$dev" of=/dev/null bs=4k count="$REQUESTS" iflag=direct status=none; }
says() { ok "$1" jq -e --argjson n $REQUESTS "$2" /tmp/json; }
in_json() { ubdx-trace --json "$dev" -- bash -c reads >/tmp/json; }
as_text() { ubdx-trace "$dev" -- bash -c reads | grep ' instructions' >/dev/null; }
export REQUESTS
export -f reads

load
add --target mem --size 64M
export dev
ok "a command is traced" in_json
# shellcheck disable=SC2016 # $n is jq's
says "all of its requests are counted" '.requests == $n and (.classes | length == 1)'
# shellcheck disable=SC2016
says "and every stage of each" '.classes[0] | .incomplete == 0 and .disordered == 0 and .no_read == 0 and
	([.stages[].samples] | all(. == $n))'
says "the stages add up to the whole" '.classes[0].stages | (.publish.mean + .deliver.mean + .move.mean + .serve.mean +
	.release.mean + .end.mean - .total.mean) | fabs < 1'
says "server and submitter have used the CPU" '.cpu.server > 0 and .cpu.submitter > 0'
says "the unit is instructions" '.clock == "instructions"'
ok "also as text" as_text
finish
