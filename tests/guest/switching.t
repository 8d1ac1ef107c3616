#!/usr/bin/env bash
# SPDX-License-Identifier: GPL-2.0
#
# The transfer mode is switched live, a thousand times under a verified load, by the module
# parameter: no request fails, no byte is wrong, and each mode was really used. A device can be
# pinned to a mode, and made to follow the parameter again. The mode can be switched while the
# server is stopped, and without a server. Then all requests that the next server gets have the new
# mode, also those that the last server had not answered.
#
# lab: --timeout 600

# shellcheck disable=SC2317 # functions are called by ok
. tests/guest/lib/guest.sh

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
	echo "$mode" >"$PARAMETERS/xfer" || break
	[[ $(<"$sys/ubdx/xfer") == *"[$mode]"* ]] || break
	# Most switches come as fast as possible. Each 50th waits until the mode has been used.
	echo "${whens[RANDOM % 2]}" >"$PARAMETERS/map_when" || break
	((i % 50)) || { n=$(counted_in "$mode") && until_ok 30 used_more "$mode" "$n"; } || break
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
is "$(mode_now)" user "makes it follow again"
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

# ---- with a dead server ----

in_flight() {
	local reads writes
	read -r reads writes <"/sys/block/$name/inflight"
	((reads + writes >= $1))
}
reissued() { sed -n 's/^reissued //p' "$sys/ubdx/errors"; }
recover() { ubdx recover --target loop --file /tmp/file "$dev" >/dev/null; }
# read_at BLOCK: read one block, and compare it. The blocks are far apart, so that reads are not
# merged.
read_at() {
	dd if="$dev" of="/tmp/read.$1" bs=4k count=1 skip="$1" iflag=direct status=none
	cmp -n 4096 -i "$(($1 * 4096)):0" /tmp/file "/tmp/read.$1"
}
# is_stopped PID: is every thread of the process stopped?
is_stopped() { ! grep '^State:' "/proc/$1/task"/*/status | grep -v 'T (stopped)'; }

del "$dev"
noise /tmp/file $((1 << 20))
last=copy
for recovery in queue reissue; do
	echo "$last" >$PARAMETERS/xfer
	add --target loop --file /tmp/file --recovery $recovery
	for mode in "${modes[@]}" $last; do
		what="recovery $recovery, the server dead: from $last to $mode"
		# a request that was sent to the server, which has not seen it
		kill -STOP "$server"
		ok "$what: the server is stopped" until_ok 10 is_stopped "$server"
		read_at 10 &
		readers=($!)
		ok "$what: a request is on its way" until_ok 10 in_flight 1
		kill -KILL "$server"
		ok "$what: the device waits" until_ok 10 is_state quiesced
		kept=$(counted_in "$mode") others=$(counted read)
		echo "$mode" >$PARAMETERS/xfer
		is "$(mode_now) $(ubdx info --json "$dev" | jq -r .xfer)" "$mode $mode" "$what: it is switched"
		# a request that comes while there is no server
		read_at 20 &
		readers+=($!)
		ok "$what: another server takes over" recover
		for reader in "${readers[@]}"; do
			status=0
			wait "$reader" || status=$?
			is $status 0 "$what: a request from before is served"
		done
		ok "$what: and one that comes then" read_at 30
		others=$(($(counted read | cut -d ' ' -f 1) - ${others% *}))
		is "$(($(counted_in "$mode") - kept))" $others "$what: all have the new mode"
		ok "$what: they are at least three" test $others -ge 3
		server=$(<"$sys/ubdx/server_pid") last=$mode
	done
	kill -KILL "$server"
	ok "recovery $recovery: the device waits" until_ok 10 is_state quiesced
	ok "recovery $recovery, the server dead: it can be pinned" ubdx set --xfer user "$dev"
	ok "recovery $recovery: the command says when the mode applies" grep -q 'has no server; its next server uses the mode' \
		<(ubdx set --xfer user "$dev" 2>&1)
	echo copy >$PARAMETERS/xfer
	ok "recovery $recovery: another server takes over" recover
	kept=$(counted_in user)
	ok "recovery $recovery: it serves" read_at 40
	is "$(($(counted_in user) - kept)) $(mode_now)" "1 user" "recovery $recovery: in the mode that it is pinned to"
	is "$(errors)" "$(reissued)" "recovery $recovery: nothing has failed"
	del "$dev"
done

# The next server also gets the requests that the dead one had, in the new mode.
in_modes_but() {
	local mode n=0
	for mode in "${modes[@]}"; do
		[[ $mode == "$1" ]] || n=$((n + $(counted_in "$mode")))
	done
	echo $n
}
truncate -s 16M /tmp/file
echo "$last" >$PARAMETERS/xfer
add --target loop --file /tmp/file --recovery reissue --queues 2
start_load --bsrange=4k-64k --iodepth=16
for mode in "${modes[@]}" "${modes[0]}"; do
	[[ $mode != "$last" ]] || continue
	what="killed under load: from $last to $mode" reissued=$(reissued)
	server=$(<"$sys/ubdx/server_pid")
	kill -STOP "$server"
	ok "$what: the server is stopped" until_ok 10 is_stopped "$server"
	ok "$what: it has requests, or they are on their way" until_ok 30 in_flight 1
	kill -KILL "$server"
	ok "$what: the device waits" until_ok 10 is_state quiesced
	others=$(in_modes_but "$mode") n=$(counted_in "$mode")
	ok "$what: with requests of the dead server" test "$(reissued)" -gt "$reissued"
	echo "$mode" >$PARAMETERS/xfer
	ok "$what: another server takes over" recover
	ok "$what: it serves" until_ok 20 used_more "$mode" $((n + 50))
	is "$(in_modes_but "$mode")" "$others" "$what: all in the new mode"
	last=$mode
done
stop_load "killed under load: no request failed and no byte is wrong"
del "$dev"

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
	is "$(mode_now) $(<"$sys/ubdx/xfer_wanted")" "copy $mode" "xfer_wanted shows $mode"
	[[ $mode == copy ]] || fails "and can't be pinned to $mode" 1 "doesn't offer transfer mode $mode" ubdx set --xfer "$mode" "$dev"
	del --all
	unload
done
load

finish
