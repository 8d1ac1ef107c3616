#!/usr/bin/env bash
# SPDX-License-Identifier: GPL-2.0
#
# lab: --clock count --timeout 600
#
# What ubdx-trace itself costs on the counting clock: the same job with and without it.

# shellcheck disable=SC2317 # functions are called by ok
. tests/guest/lib/guest.sh

readonly REQUESTS=6000

# cost TOOL...: print the instructions per request of a job at queue depth 32 under TOOL, from the
# difference between a long and a short job. The order in which client and server run varies from
# job to job, stays the same during a job, and changes the result by 4 percent. So the least of
# three results counts.
cost() {
	local short long cost least=
	for _ in 1 2 3; do
		short=$(measure $((REQUESTS / 3)) "$@")
		long=$(measure $REQUESTS "$@")
		cost=$(((long - short) * 3 / (2 * REQUESTS)))
		[[ $least ]] && ((least <= cost)) || least=$cost
		echo "# $*: $cost" >&2
	done
	echo "$least"
}

# measure N TOOL...: ns, which are instructions here, that N requests under TOOL take, from the
# job's start to its end.
measure() {
	local n=$1
	shift
	rm -f /tmp/stamps
	"$@" fio --name=job --filename="$dev" --direct=1 --ioengine=io_uring --thread=1 --iodepth=32 --iodepth_batch_submit=8 \
		--iodepth_batch_complete_min=1 --iodepth_batch_complete_max=8 --rw=randread --bs=4k --number_ios="$n" \
		--norandommap=1 --exec_prerun="stamp /tmp/stamps pre - - -- $name" --exec_postrun="stamp /tmp/stamps post - - -- $name" \
		--output=/tmp/fio >/tmp/out
	echo $(($(cut -f4 /tmp/stamps | tail -n 1) - $(cut -f4 /tmp/stamps | head -n 1)))
}

# at_most PERCENT WHAT COST: COST is at most PERCENT above $off.
at_most() { ok "$2: $((($3 - off) * 1000 / off)) permille of $off instructions a request, at most $1 percent" test "$3" -le $((off + off * $1 / 100)); }

load
add --target null --size 1G --prefault 1M
cost env >/dev/null
off=$(cost env)
echo "# off: $off"
only=$(cost ubdx-trace --json --events none "$dev" --)
echo "# requests' stages only: $only"
standard=$(cost ubdx-trace --json "$dev" --)
echo "# with cpu, the default: $standard"
everything=$(cost ubdx-trace --json --events all "$dev" --)
echo "# with all events: $everything"

ok "the measurement sees the tool at all" test "$only" -gt "$off"
at_most 15 "the default" "$standard"
# two equal runs differ by a few percent, because they are scheduled differently
ok "the stages alone cost no more" test "$only" -le $((standard + off / 10))
again=$(cost env)
ok "afterwards a request costs what it did before: $again" test $((again > off ? again - off : off - again)) -le $((off * 3 / 100))

# What stamps cost while no event is enabled: compare with the same driver, compiled without stamps
# (make guests). The addresses of a module's code and memory also vary, and change the result by a
# percent. So both modules are loaded three times, alternately, and the least results are compared.
if [[ -e ubdx-unstamped.ko ]]; then
	declare -A best=()
	for _ in 1 2 3; do
		for module in ubdx-unstamped ubdx; do
			del "$dev"
			unload
			insmod "$module.ko"
			add --target null --size 1G --prefault 1M
			cost=$(cost env)
			[[ ${best[$module]:-} ]] && ((best[$module] <= cost)) || best[$module]=$cost
		done
	done
	ok "untraced, the stamps add 1 percent at most: ${best[ubdx]}, without them ${best[ubdx-unstamped]}" \
		test "${best[ubdx]}" -le $((best[ubdx-unstamped] * 101 / 100))
else
	skip "untraced, the stamps add 1 percent at most" "ubdx-unstamped.ko was not built"
fi

finish
