#!/usr/bin/env bash
# SPDX-License-Identifier: GPL-2.0
#
# A million requests (fewer on a debug kernel) leave no reference to their pages behind, in any
# mode: see references.c.
#
# lab: --smp 2 --numa

# shellcheck disable=SC2317 # functions are called by ok
. tests/guest/lib/guest.sh

mapfile -t modes < <(load && ubdx features --json | jq -r '.driver_xfer_modes[]')
readonly EACH=$((1000000 / ${#modes[@]} / 2 / LESS))
modprobe null_blk gb=1

# refs_of WHAT: make the requests, and check the references.
refs_of() { run_tap "$1" bin/references "$dev" $EACH; }

for target in "null --size 1G" "loop --file /dev/nullb0 --direct"; do
	# shellcheck disable=SC2086 # words
	add --target touch,header:$target --queues 2 --depth 32
	echo 2 >"$sys/queue/nomerges" # one request for each that is sent
	for mode in "${modes[@]}"; do
		ubdx set --xfer "$mode" "$dev"
		refs_of "${target%% *}, $mode"
		ok "${target%% *}, $mode: they were in that mode" test "$(counted_in "$mode")" -ge $EACH
	done
	is "$(errors)" 0 "${target%% *}: no request failed"
	del "$dev"
done

finish
