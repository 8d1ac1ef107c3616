#!/usr/bin/env bash
# SPDX-License-Identifier: GPL-2.0
#
# A device outlives its servers, as enum ubdx_recovery says. With `queue`, requests that the server
# had seen and not answered end with EIO, and the others wait. With `reissue`, and in a hand-over,
# no request is lost.
# Recovery can be given up; then the requests that wait end.

# shellcheck disable=SC2317 # functions are called by ok
. tests/guest/lib/guest.sh

errors() { sed -n "s/^$1 //p" "$sys/ubdx/errors"; }
recover() { ubdx recover --target loop --file /tmp/file "$@" "$dev" >/dev/null; }

# Kill the server, and wait until the device waits for another one.
kill_server() {
	local pid
	pid=$(<"$sys/ubdx/server_pid")
	# kill 0 would signal this test's whole process group
	((pid > 1)) && kill -KILL "$pid"
	until_ok 10 is_state quiesced
}

read_one() { within 10 dd if="$dev" of=/tmp/one bs=4k count=1 iflag=direct status=none; }

truncate -s 16M /tmp/file
load

# ---- reissue ----

add --target loop --file /tmp/file --recovery reissue --queues 2
is "$(ubdx info --json "$dev" | jq -r .params.recovery)" reissue "info says how it recovers"
start_load
for round in 1 2 3 4 5 6; do
	ok "reissue, $round: killed under load: the device waits" kill_server
	is "$(ubdx list --json | jq -r '.[0].state')" quiesced "reissue, $round: the list says so"
	is "$(ubdx list | cut -c 12-28 | tr -d '\n')" "STATE        SIZEquiesced      16M" "reissue, $round: in columns"
	ok "reissue, $round: another server takes over" recover
	ok "reissue, $round: it serves" read_one
done
stop_load "reissue: no request fails, no byte is wrong"
is "$(errors failed) $(errors aborted)" "0 0" "reissue: none was ended without an answer"
ok "reissue: some were given to another server" test "$(errors reissued)" -gt 0
# two jobs of 16 requests
ok "reissue: each at most once a kill" test "$(errors reissued)" -le $((6 * 2 * 16))

start_load
for round in 1 2 3 4 5 6 7 8; do
	ok "handing over, $round: under load" recover --live
	ok "handing over, $round: it serves" read_one
done
before=$(errors reissued)
stop_load "handing over: no request fails, no byte is wrong"
is "$(errors reissued)" "$before" "handing over: none is served twice"
ok "handing over: the former servers have exited" until_ok 5 test "$(pgrep -xc ubdx)" = 1
fails "a live device is not taken over without --live" 1 "already has a server; use --live" recover
fails "a file that is served already is not served once more" 1 "/tmp/file is in use: process $(<"$sys/ubdx/server_pid") (ubdx) has locked it" ubdx add --target loop --file /tmp/file
del "$dev"

# ---- below a file system ----

truncate -s 64M /tmp/file
add --target loop --file /tmp/file --recovery reissue --timeout 2
mkfs.ext4 -q "$dev"
mkdir -p /tmp/mnt
mount "$dev" /tmp/mnt
fio --name=verify --directory=/tmp/mnt --size=4m --numjobs=4 --rw=randwrite --bsrange=4k-64k --verify=crc32c --verify_fatal=1 \
	--fsync=16 --loops=40 --eta=never --output=/tmp/fio.log --time_based --runtime=20 &
job=$!
for round in 1 2 3 4; do
	read -rt 1 <> <(:) || true
	ok "below ext4, $round: killed" kill_server
	ok "below ext4, $round: another server takes over" recover
done
server=$(<"$sys/ubdx/server_pid")
kill -STOP "$server"
ok "below ext4: a server that is stopped past the timeout is declared dead" until_ok 20 is_state quiesced
ok "below ext4: and killed" until_ok 5 no_process "$server"
ok "below ext4: another server takes over" recover
status=0
wait $job || status=$?
is $status 0 "below ext4: fio sees no error, and no wrong byte"
ok "below ext4: umount" umount /tmp/mnt
ok "below ext4: fsck" fsck.ext4 -fn "$dev"
del "$dev"

# ---- queue ----

truncate -s 16M /tmp/file
add --target loop --file /tmp/file --recovery queue
ok "queue: killed while idle: the device waits" kill_server
dd if="$dev" of=/tmp/one bs=4k count=1 iflag=direct status=none &
reader=$!
ok "queue: a request that comes now waits" until_ok 10 grep -q '^State:.*D' /proc/$reader/status
ok "queue: another server takes over" recover
status=0
wait $reader || status=$?
is $status 0 "queue: and serves it"
is "$(errors aborted)" 0 "queue: nothing was lost"

# The request is on its way to a stopped server. The server hasn't seen it, so it can't have been
# served.
kill -STOP "$(<"$sys/ubdx/server_pid")"
read_one &
reader=$!
held() { (($(sed -n 's/ *\([0-9]*\) *\([0-9]*\)/\1/p' "/sys/block/$name/inflight") > 0)); }
ok "queue: a request is on its way" until_ok 5 held
ok "queue: the server is killed before it sees the request" kill_server
ok "queue: another server takes over" recover
status=0
wait $reader || status=$?
is $status 0 "queue: and serves it"
del "$dev"

# Requests that the server has seen are lost: they end with EIO, and the device goes on.
add --target loop --file /tmp/file --recovery queue
fio --name=job --filename="$dev" --direct=1 --ioengine=io_uring --iodepth=32 --rw=randrw --time_based --runtime=300 \
	--size=4m --eta=never --allow_file_create=0 --output-format=json --output=/tmp/jobs 2>/dev/null &
jobs=$!
for ((i = 0; i < 20; i++)); do
	until_ok 20 held || break
	kill_server
	ubdx recover --target loop --file /tmp/file "$dev" || break
	# the requests on their way are served, and those at the server are lost
	(($(errors aborted) == 0)) || break
done
ok "queue: killed under load: the requests that the server has seen are lost" test "$(errors aborted)" -gt 0
ok "queue: the job ends" until_ok 20 no_process $jobs
wait $jobs || true
is "$(jq -c '[.jobs[].error]' /tmp/jobs)" "[5]" "queue: by EIO"
ok "queue: and the device serves on" read_one
del "$dev"

# ---- giving up ----

add --target loop --file /tmp/file --recovery reissue
fio --name=job --filename="$dev" --direct=1 --ioengine=io_uring --iodepth=16 --rw=randrw --time_based --runtime=300 --numjobs=2 \
	--size=4m --eta=never --allow_file_create=0 --output-format=json --output=/tmp/jobs 2>/dev/null &
jobs=$!
until_ok 20 held
ok "giving up: killed under load" kill_server
fails "giving up: a device that is open is not deleted" 1 "has no server" ubdx del "$dev"
ok "giving up: and it still waits" is_state quiesced
ok "giving up: it is deleted by force" within 20 ubdx del --force "$dev"
ok "giving up: the jobs end" until_ok 20 no_process $jobs
wait $jobs || true
is "$(jq -c '[.jobs[].error] | unique' /tmp/jobs)" "[5]" "giving up: by EIO"

add --target loop --file /tmp/file --recovery reissue
ok "not in use: killed" kill_server
ok "not in use: it is deleted without force" ubdx del "$dev"

add --target loop --file /tmp/file --recovery reissue
kill -TERM "$server"
ok "SIGTERM: the server takes the device with it" until_ok 10 gone "$dev"
ok "SIGTERM: and lets go of its file" until_ok 10 no_process "$server"

# ---- the next server differs ----

info() { ubdx info --json "$dev" | jq -c "$1"; }
add --target loop --file /tmp/file --recovery reissue --xfer map
ok "other modes: the server is killed" kill_server
ok "other modes: the next one offers fewer, and looks at payloads" \
	ubdx recover --target touch,header,/tmp/touched:loop --file /tmp/file --offer copy,user "$dev"
is "$(info .xfer_modes)" '["copy","user"]' "other modes: the device has these"
ok "other modes: it doesn't use one that isn't offered" test "$(info .xfer)" != '"map"'
ok "other modes: it serves" read_one
use "$dev"
ok "other modes: the device is handed over to a server that offers all" ubdx recover --live --target loop --file /tmp/file "$dev"
ok "other modes: the former server has exited" until_ok 10 no_process "$server"
is "$(cut -d' ' -f1 /tmp/touched)" 64 "other modes: and has looked at a payload"
is "$(info .xfer)" '"map"' "other modes: the requested mode is used again"
ok "other modes: it serves" read_one
del "$dev"

# ---- refusals ----

add --target loop --file /tmp/file --recovery reissue
kill_server
truncate -s 8M /tmp/small
fails "a file that is too small" 1 "/tmp/small: *" ubdx recover --other-target --target loop --file /tmp/small "$dev"
fails "a target of another kind" 1 "mem" ubdx recover --target mem "$dev"
ok "after that the device still waits" is_state quiesced
pids=()
for round in 1 2 3 4; do
	ubdx recover --target loop --file /tmp/file "$dev" >/dev/null 2>&1 &
	pids+=($!)
done
won=0
for pid in "${pids[@]}"; do
	if wait "$pid"; then won=$((won + 1)); fi
done
is $won 1 "of four servers at once, one takes over"
ok "and serves it" read_one
del "$dev"

# turned_down STATUS TEXT OPTION...: recovery fails at once with that status and text, and the
# device still waits.
turned_down() { refused "$1" "$2" within 10 ubdx recover "${@:3}" "$dev" && is_state quiesced; }

add --target loop --file /tmp/file --recovery reissue
kill_server
ok "no mode that carries everything" turned_down 2 "must include copy or user" --target loop --file /tmp/file --offer splice
# The driver can refuse this only at START, when it knows the server's privileges.
unprivileged() {
	refused 1 "starting $name: Operation not supported" within 10 setpriv --bounding-set=-sys_admin --inh-caps=-sys_admin ubdx recover --target loop --file /tmp/file --offer user "$dev" &&
		is_state quiesced
}
ok "a server without privilege that offers only mode user is refused" unprivileged
ok "after that another server takes over" ubdx recover --target loop --file /tmp/file "$dev"
server=$(<"$sys/ubdx/server_pid")
truncate -s 8M /tmp/small
left_alone() { is_state live && [[ $(<"$sys/ubdx/server_pid") == "$server" ]] && kill -0 "$server"; }
while IFS=: read -r wrong status why; do
	# shellcheck disable=SC2086 # words
	fails "handing over with $wrong" "$status" "$why" ubdx recover --live --target loop $wrong "$dev"
	ok "   leaves the server alone" left_alone
done <<-'END'
	--file /tmp/none:1:/tmp/none: No such file
	--file /tmp/small:1:/tmp/small: *fit
	--file /tmp/file --cpus 77:1:CPU 77
	--file /tmp/file --offer splice:2:must include copy or user
END
del "$dev"

# ---- the device remembers its target ----

# says TEXT CMD...: CMD is refused, in one line that has TEXT.
says() {
	local text=$1 status=0 output
	shift
	output=$("$@" 2>&1) || status=$?
	echo "$output"
	((status == 1)) && [[ $output == *"$text"* && $output != *$'\n'* ]]
}
backing() { info '[.target, .target_path, .serial]'; }

truncate -s 16M /tmp/other
ln /tmp/file /tmp/alias
ln -s /tmp/file /tmp/link
add --target loop --file /tmp/link --recovery reissue --serial tape-7
is "$(backing)" '["loop","/tmp/file","tape-7"]' "info shows the device's target"
is "$(<"$sys/ubdx/target") $(<"$sys/serial")" "loop /tmp/file tape-7" "so does sysfs"
ok "and list" grep -qE "^$name .* loop /tmp/file$" <(ubdx list)
kill_server
ok "without its server, too" test "$(backing)" = '["loop","/tmp/file","tape-7"]'
ok "another file is refused" says "served loop /tmp/file, not loop /tmp/other; use --other-target" \
	ubdx recover --target loop --file /tmp/other "$dev"
ok "another target is refused" says "served loop /tmp/file, not null; use --other-target" ubdx recover --target null "$dev"
ok "and the device waits on" is_state quiesced
ok "the same file by another name isn't refused" ubdx recover --target loop --file /tmp/alias "$dev"
server=$(<"$sys/ubdx/server_pid")
ok "a hand-over to another file is refused" says "served loop /tmp/alias, not loop /tmp/other" ubdx recover --live --target loop --file /tmp/other "$dev"
ok "the server is left alone" left_alone
ok "--other-target allows it" ubdx recover --live --other-target --target loop --file /tmp/other "$dev"
is "$(backing)" '["loop","/tmp/other","tape-7"]' "the device remembers the new file"
kill_server
ok "and the former file is refused" says "served loop /tmp/other, not loop /tmp/file" ubdx recover --target loop --file /tmp/file "$dev"
del "$dev"

evil=$'/tmp/e\e[2J\nvil'
truncate -s 1M "$evil"
add --target loop --file "$evil"
is "$(ubdx list | tail -n +2)" "$(ubdx list | grep 'loop /tmp/e?\[2J?vil$')" "list shows no control character"
is "$(info .target_path)" '"/tmp/e?[2J?vil"' "nor does info"
is "$(<"$sys/ubdx/target")" 'loop /tmp/e\e[2J\nvil' "sysfs escapes them"
ok "without --serial there is none" gone "$sys/serial"
del "$dev"

# ---- a server that can't print its device's path ----

add --target loop --file /tmp/file --recovery reissue
kill_server
ubdx recover --foreground --target loop --file /tmp/file "$dev" >/dev/full 2>/tmp/err &
ok "a recovered device's server can't print its path: the device is live" until_ok 10 is_state live
ok "   and served" read_one
ok "   and the server reports the error" grep -q 'writing the output failed' /tmp/err
del "$dev"

# ---- a server that fails while it is handed over ----

for way in reissue queue; do
	add --target loop --file /tmp/file --recovery $way --timeout $((2 * SLOW))
	kill -STOP "$server"
	read_one 2>/tmp/err &
	reader=$!
	ok "$way: a request is at a server that has stopped" until_ok 5 held
	read -rt 1 <> <(:) || true
	fails "$way: it can't be handed over" 1 "recover: *" ubdx recover --live --target loop --file /tmp/file "$dev"
	ok "$way: it is killed, so it can't go on when another serves" until_ok 10 no_process "$server"
	ok "$way: the device waits" until_ok 10 is_state quiesced
	ok "$way: another server takes over" recover
	status=0
	wait $reader || status=$?
	is $status 0 "$way: the request, which the server had not seen, is served"
	ok "$way: it serves" read_one
	del "$dev"
done

# ---- a process that only opens the channel ----

add --target loop --file /tmp/file --recovery reissue
kill_server
look_in() { bash -c "exec 5<>/dev/ubdxc${dev#/dev/ubdxb}; exec 5>&-; read -rt 0.5 <> <(:); exit 7"; }
status=0
look_in || status=$?
is $status 7 "a process that opens the channel and leaves is left alone"
ok "and the next server can start" recover
ok "and serves" read_one
del "$dev"

fails "no such device" 1 "no device 7" ubdx recover --target null 7
fails "mem can't be recovered" 1 "mem" ubdx add --target mem --size 1M --recovery queue
fails "an unknown --recovery is refused" 2 "maybe" ubdx add --target null --size 1M --recovery maybe
add --target null --size 1M
fails "handing over a device that doesn't recover" 1 "recover: *" ubdx recover --live --target null "$dev"
ok "it lives on" is_state live
ok "its server is killed" kill -KILL "$server"
ok "and the device goes at once" until_ok 10 gone "$dev"

finish
