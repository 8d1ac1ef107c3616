#!/usr/bin/env bash
# SPDX-License-Identifier: GPL-2.0
#
# The transfer mode is switched live: a thousand times under a verified load, by the module parameter, and nothing fails or is
# wrong; each mode was really used. A device can be pinned, and follows again. It can be switched with its server stopped.

# shellcheck disable=SC2317 # functions are called by ok
. tests/vm/lib.sh

load
add --target mem --size 64M --queues 2 --depth 32 --max-io 256K
mapfile -t modes < <(ubdx features --json | jq -r '.driver_xfer_modes[]')
ok "there is something to switch" test "${#modes[@]}" -ge 2

# ---- under load ----

used_more() {
	local now
	now=$(counted_in "$1")
	((now > $2))
}

start_load --numjobs=4 --iodepth=8 --rw=randrw --bsrange=512-256k
declare -A before
for mode in "${modes[@]}"; do before[$mode]=$(counted_in "$mode"); done

RANDOM=4
whens=(fault eager)
for ((i = 0; i < 1000; i++)); do
	mode=${modes[RANDOM % ${#modes[@]}]}
	echo "$mode" >"$PARAMETERS/xfer"
	# Mostly as fast as it goes; now and then long enough for the mode to be in use.
	echo "${whens[RANDOM % 2]}" >"$PARAMETERS/map_when"
	echo $((1 + RANDOM % 16)) >"$PARAMETERS/map_batch"
	((i % 50)) || { n=$(counted_in "$mode") && until_ok 30 used_more "$mode" "$n"; }
done
is $i 1000 "a thousand switches"
for mode in "${modes[@]}"; do
	ok "requests were served in mode $mode" used_more "$mode" "${before[$mode]}"
done
stop_load "no request failed and no byte is wrong"
is "$(errors)" 0 "the driver counts no error"

# ---- pinned and following ----

mode_now() { sed 's/.*\[\(.*\)\].*/\1/' "$sys/ubdx/xfer"; }

for mode in "${modes[@]}"; do
	echo "$mode" >"$PARAMETERS/xfer"
	is "$(mode_now)" "$mode" "a device follows the parameter: $mode"
	is "$(ubdx info --json "$dev" | jq -r .xfer)" "$mode" "$mode, says info"
	n=$(counted_in "$mode")
	dd if="$dev" of=/dev/null bs=4k count=8 iflag=direct status=none
	is "$(counted_in "$mode")" $((n + 8)) "$mode is what its requests have"
done
ok "set pins it" ubdx set --xfer copy "$dev"
echo user >"$PARAMETERS/xfer"
is "$(mode_now)" copy "a pinned one doesn't follow"
ok "set --xfer default" ubdx set --xfer default "$dev"
is "$(mode_now)" user "has it follow again"
echo copy >"$sys/ubdx/xfer"
is "$(mode_now)" copy "a write to its own file pins it"
echo default >"$sys/ubdx/xfer"

# ---- with a stopped server ----

kill -STOP "$server"
dd if="$dev" of=/dev/null bs=4k count=1 iflag=direct status=none &
reader=$!
for mode in "${modes[@]}"; do
	echo "$mode" >"$PARAMETERS/xfer"
	is "$(mode_now)" "$mode" "the server stopped: switched to $mode"
done
kill -CONT "$server"
status=0
wait $reader || status=$?
is $status 0 "and the request from before is served"
ok "verified once more" run_fio --name=after --filename="$dev" --direct=1 --ioengine=io_uring --iodepth=16 --rw=randwrite --size=8m \
	--bsrange=512-256k --verify=crc32c --verify_fatal=1

# ---- module parameter at load ----

del --all
unload
for mode in "${modes[@]}"; do
	insmod ubdx.ko "xfer=$mode"
	add --target mem --size 16M
	is "$(mode_now)" "$mode" "insmod xfer=$mode"
	ok "$mode works from the start" run_fio --name=first --filename="$dev" --direct=1 --rw=randwrite --size=4m --bsrange=512-128k \
		--verify=crc32c --verify_fatal=1
	add --target null --size 1M --offer copy
	is "$(mode_now) $(<"$sys/ubdx/xfer_wanted")" "copy $mode" "it shows the wish for $mode"
	[[ $mode == copy ]] || fails "and can't be pinned to $mode" ubdx set --xfer "$mode" "$dev"
	del --all
	unload
done
load

finish
