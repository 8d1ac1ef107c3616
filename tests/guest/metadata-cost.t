#!/usr/bin/env bash
# SPDX-License-Identifier: GPL-2.0
#
# lab: --clock count --timeout 600
#
# The control for all comparisons between modes: a request without a payload costs the same number
# of instructions, within 2 percent, in each mode, and in mode map also with map_when=eager.

# shellcheck disable=SC2317 # functions are called by ok
. tests/guest/lib/guest.sh

readonly REQUESTS=3000

# least OP N: the instructions that N requests take, the least of three runs. What runs beside the
# requests (a timer, a worker of the kernel) only adds to the number. On this clock, one instruction
# takes one ns.
least() {
	local n i least=''
	for ((i = 0; i < 3; i++)); do
		n=$(bin/metadata-cost "$dev" "$1" "$2")
		[[ $n =~ ^[0-9]+$ ]] || { echo "metadata-cost: '$n'" >&2; return 1; }
		((${least:-n + 1} < n)) || least=$n
	done
	echo "$least"
}

# cost OP: instructions for each request, from the difference between long and short runs
cost() {
	local short long
	short=$(least "$1" $((REQUESTS / 3))) && long=$(least "$1" $REQUESTS) || return
	echo $(((long - short) * 3 / (2 * REQUESTS)))
}

# within_permille N A B: do A and B differ by at most N permille?
within_permille() { (($2 * 1000 <= $3 * (1000 + $1) && $3 * 1000 <= $2 * (1000 + $1))); }

load
add --target null --size 1G --write-cache
mapfile -t modes < <(ubdx features --json | jq -r '.driver_xfer_modes[]')
for op in flush discard write_zeroes; do
	cost $op >/dev/null
	first=
	for how in "${modes[@]}" "map eager"; do
		read -r mode when <<<"$how"
		echo "${when:-fault}" >$PARAMETERS/map_when
		ubdx set --xfer "$mode" "$dev"
		read -r n _ <<<"$(counted $op)"
		this=$(cost $op)
		read -r after _ <<<"$(counted $op)"
		is $((after - n)) $((3 * (REQUESTS + REQUESTS / 3))) "$op, $how: one request for each that was sent"
		first=${first:-$this}
		ok "$op, $how: $this instructions, with ${modes[0]} $first: the same within 2 percent" within_permille 20 "$this" "$first"
	done
done

finish
