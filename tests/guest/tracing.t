#!/usr/bin/env bash
# SPDX-License-Identifier: GPL-2.0
#
# The driver's trace events: each request has its own events, with the right content and its stages
# in order. Events can be enabled and disabled under load. While none is enabled, the driver takes
# no stamps.

# shellcheck disable=SC2317 # functions are called by ok
. tests/guest/lib/guest.sh

readonly TRACE=/sys/kernel/tracing EVENTS=/sys/kernel/tracing/events/ubdx
readonly STAGES=(queue publish deliver move read commit release) # in the order of their events

# traced EVENT... -- CMD...: run CMD with those events enabled. The events are then in /tmp/trace.
traced() {
	local events=() event
	while [[ $1 != -- ]]; do
		events+=("$1")
		shift
	done
	shift
	: >$TRACE/trace
	for event in "${events[@]}"; do echo 1 >"$EVENTS/$event/enable"; done
	"$@"
	for event in "${events[@]}"; do echo 0 >"$EVENTS/$event/enable"; done
	grep -v '^#' $TRACE/trace >/tmp/trace || true
}

seen() { grep -c " ubdx_$1: " /tmp/trace || true; }

# done_says WHAT FIELD...: every ubdx_done in the trace has these fields.
done_says() {
	local what=$1 field lines
	shift
	lines=$(grep ' ubdx_done: ' /tmp/trace)
	for field; do
		lines=$(grep -E " $field( |$)" <<<"$lines" || true)
	done
	is "$(grep -c . <<<"$lines")" "$(seen "done")" "$what"
}

# The server reports T3, the time at which it has read the descriptor: not before T2, not after T5.
stages_in_order() {
	local t0 t1 t2 t3 t4 t5 t6 t7 lines=0
	while read -r t0 t1 t2 t3 t4 t5 t6 t7; do
		lines=$((lines + 1))
		echo "$t0 $t1 $t2 $t3 $t4 $t5 $t6 $t7"
		((0 < t0 && t0 <= t1 && t1 <= t2 && t2 <= t4 && t4 <= t5 && t5 <= t6 && t6 <= t7))
		((t2 <= t3 && t3 <= t5))
	done < <(sed -n 's/.* ubdx_done: .* \(t0=.*\)/\1/p' /tmp/trace | sed 's/t[0-7]=//g')
	test "$lines" = "$(seen "done")"
}

# Each change of an event waits for a grace period.
echo 1 >/sys/kernel/rcu_expedited
load

# ---- the events ----

is "$(cd $EVENTS && echo */)" "ubdx_done/ ubdx_stage/" "two events"
is "$(cat $EVENTS/enable)" 0 "none is enabled"

add --target mem --size 16M --write-cache --max-io 1M --depth 32
number=${name#ubdxb}

# ---- one ubdx_done a request ----

# expect OP NUMBER BYTES COUNT CMD...
expect() {
	local op=$1 number_of_op=$2 bytes=$3 count=$4
	shift 4
	traced ubdx_done -- "$@"
	is "$(seen "done")" "$count" "$op: one ubdx_done for each request"
	done_says "$op: they say what it was" "dev=$number" "queue=0" "op=$number_of_op" "xfer=0" "fallback=0" "bytes=$bytes" "error=0"
	ok "$op: stages in order" stages_in_order
}

expect read 0 4096 32 dd if="$dev" of=/dev/null bs=4k count=32 iflag=direct status=none
ok "read: each has its sector" diff <(grep -o 'sector=[0-9]*' /tmp/trace) <(printf 'sector=%d\n' $(seq 0 8 248))
is "$(grep -o ' tag=[0-9]* seq=[0-9]*' /tmp/trace | sort | uniq -d)" "" "read: and its own tag and sequence number"
expect write 1 65536 16 dd if=/dev/zero of="$dev" bs=64k count=16 oflag=direct status=none
expect flush 2 0 1 sync "$dev"
expect discard 3 1048576 1 blkdiscard -qf -o 1M -l 1M "$dev"
expect write_zeroes 4 1048576 1 blkdiscard -qf -z -o 1M -l 1M "$dev"
ok "no payload: no class of page" grep -q ' page_class=0 ' /tmp/trace
expect "longest read" 0 1048576 4 dd if="$dev" of=/dev/null bs=1M count=4 iflag=direct status=none

# ---- one ubdx_stage for each stage of a request ----

traced ubdx_stage -- dd if="$dev" of=/dev/null bs=4k count=16 iflag=direct status=none
for stage in "${STAGES[@]}"; do
	is "$(grep -c " ubdx_stage: .* stage=$stage stamp=[1-9]" /tmp/trace || true)" 16 "ubdx_stage, $stage: one for each request"
done
is "$(seen stage)" $((16 * ${#STAGES[@]})) "ubdx_stage: no others"
is "$(seen "done")" 0 "ubdx_done: none, because it was not enabled"
is "$(sed -n 's/.* ubdx_stage: .* stage=\([a-z]*\) .*/\1/p' /tmp/trace | head -n 7 | paste -sd ' ')" "${STAGES[*]}" "in their order"
echo 'stage == 3' >$EVENTS/ubdx_stage/filter
traced ubdx_stage -- dd if="$dev" of=/dev/null bs=4k count=16 iflag=direct status=none
echo 0 >$EVENTS/ubdx_stage/filter
is "$(seen stage) $(grep -c ' stage=read ' /tmp/trace || true)" "16 16" "a filter selects one stage"

# ---- no event is enabled ----

# A request that comes while no event is enabled has no stamps of its first stages, even if an event
# is enabled when it ends.
in_flight() { [[ $(<"$sys/inflight") != *" 0 "*" 0" ]]; }
kill -STOP "$server"
dd if="$dev" of=/dev/null bs=4k count=1 iflag=direct status=none &
reader=$!
ok "a request waits for a stopped server" until_ok 10 in_flight
listen() { kill -CONT "$server" && wait "$reader"; }
traced ubdx_done -- listen
is "$(seen "done")" 1 "ubdx_done is on when it ends"
ok "while no event is on, no stamp is made" grep -q ' t0=0 t1=0 ' /tmp/trace

# ---- on and off under load ----

start_load --bs=4k --numjobs=1 --iodepth=4
status=0
for ((i = 0; i < 50; i++)); do
	events=("$EVENTS"/ubdx_*/enable)
	echo 1 >"${events[i % 2]}" || status=1
	echo 0 >"${events[i % 2]}" || status=1
done
is $status 0 "on and off 50 times under load"
traced ubdx_done -- until_ok 5 grep -q ubdx_done $TRACE/trace
done_says "what is traced then is right" "dev=$number" "op=[01]" "bytes=4096" "error=0"
stop_load "the load went on, and read what it had written"

finish
