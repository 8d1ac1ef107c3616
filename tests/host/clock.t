#!/usr/bin/env bash
# SPDX-License-Identifier: GPL-2.0
#
# The counting clock counts the same whatever the host does meanwhile, and however often the machine
# is idle: thousands of short sleeps, in two machines at once on a busy host, end at the same
# nanosecond.

# shellcheck disable=SC2016 # it is for the guest's shell to expand
set -euo pipefail
cd "$(dirname "$0")/../.."

. tests/tap.sh

mkdir -p build
work=$(mktemp -d build/clock.XXXXXX)
timeout 300 yes >/dev/null &
busy=$!
trap 'kill $busy; rm -rf "$work"' EXIT

for run in 1 2; do
	lab/vm --clock count --log "$work/log.$run" -- 'for i in 1 2; do
		timeout 1 tail -s 0.0003 -f --pid=$$ /dev/null
		date +%s%N
		grep -E "^(intr|ctxt)" /proc/stat
	done' >"$work/$run" &
done
wait %2 %3
ok "it has slept" grep -q '^intr' "$work/1"
ok "the same to the nanosecond" cmp "$work"/{1,2}
finish
