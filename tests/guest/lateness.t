#!/usr/bin/env bash
# SPDX-License-Identifier: GPL-2.0
#
# A server has at most the device's I/O timeout to answer a request, whatever is written to
# queue/io_timeout. Time in which user space is frozen doesn't count. The driver notices within
# seconds that a server is being killed, whatever delays the server's end.

# shellcheck disable=SC2317 # functions are called by ok
. tests/guest/lib/guest.sh

held() { (($(sed -n 's/ *\([0-9]*\) *\([0-9]*\)/\1/p' "$sys/inflight") > 0)); }
read_one() { dd if="$dev" of=/dev/null bs=4k count=1 iflag=direct status=none; }

# ends_in SECONDS: a READ from a stopped server times out after SECONDS: at most half a second
# earlier, and at most five seconds later.
ends_in() {
	local start=$EPOCHREALTIME status=0 took reader
	# ok() waits for every process that has ok's output open
	read_one >/tmp/err 2>&1 &
	reader=$!
	# not with timeout(1), which would wait for the READ, too
	until_ok $(($1 + 5)) no_process "$reader" || return 1
	wait "$reader" || status=$?
	took=$(((${EPOCHREALTIME/./} - ${start/./}) / 1000))
	echo "status $status after $took ms: $(</tmp/err)"
	((status == 1 && took > $1 * SLOW * 1000 - 500)) && grep -q 'Connection timed out' /tmp/err
}

load

# ---- queue/io_timeout ----

add --target null --size 1M --timeout $((3 * SLOW))
is "$(limit io_timeout)" $((3000 * SLOW)) "io_timeout says what the I/O timeout is"
for ms in 1000000 3600000 4294967295; do
	[[ -e $dev ]] || add --target null --size 1M --timeout $((3 * SLOW))
	echo $ms >"$sys/queue/io_timeout"
	kill -STOP "$server"
	ok "with $ms in io_timeout, a request at a stopped server still times out" ends_in 3
	kill -KILL "$server"
	ok "   the device goes" until_ok 10 gone "$dev"
done

add --target null --size 1M --timeout $((300 * SLOW))
echo $((2000 * SLOW)) >"$sys/queue/io_timeout"
kill -STOP "$server"
ok "a smaller number in io_timeout shortens it" ends_in 2
kill -KILL "$server"
ok "   the device goes" until_ok 10 gone "$dev"

# ---- frozen ----

# A task that waits for I/O can't be frozen. So the kernel tries for pm_freeze_timeout, with all
# other tasks frozen, and gives up. A second such task, on a device with a long timeout, keeps the
# machine from suspending whatever happens to the first.
freeze() {
	local start=$EPOCHREALTIME status=0
	echo freeze >/sys/power/state || status=$?
	((status)) && (((${EPOCHREALTIME/./} - ${start/./}) / 1000 > 7000 * SLOW))
}

if [[ -e /sys/power/pm_freeze_timeout ]]; then
	echo $((8000 * SLOW)) >/sys/power/pm_freeze_timeout
	add --target null --size 1M --timeout $((300 * SLOW))
	unfreezable=$dev stopped=$server
	kill -STOP "$server"
	read_one 2>/tmp/other &
	ok "a request is at a stopped server" until_ok 5 held
	add --target null --size 1M --timeout $((5 * SLOW))
	kill -STOP "$server"
	read_one &
	reader=$!
	ok "a request is at a server" until_ok 5 held
	ok "user space is frozen for longer than the I/O timeout" freeze 2>/dev/null
	# until the driver's tick has checked the request again
	read -rt $((SLOW)).7 <> <(:) || true
	kill -CONT "$server"
	status=0
	wait $reader || status=$?
	is $status 0 "   and the request is served after that"
	is "$(<"$sys/ubdx/state")" live "   the device lives"
	kill -STOP "$server"
	ok "   and time counts again" ends_in 5
	kill -KILL "$server"
	ok "   the device goes" until_ok 10 gone "$dev"
	kill -KILL "$stopped"
	ok "   the other goes, too" until_ok 10 gone "$unfreezable"
else
	skip "a freeze that is longer than the I/O timeout" "this kernel has no pm_freeze_timeout"
fi

# ---- a server that is killed while it waits for its storage ----

add --target mem --size 64M
mkfs.ext4 -q "$dev"
mkdir -p /tmp/mnt
mount "$dev" /tmp/mnt
truncate -s 16M /tmp/mnt/file
below=$dev

# Does a thread of the server wait in the kernel? In mode copy that is a worker of its io_uring.
stuck() { grep -q '^State:.*D' /proc/"$server"/task/*/status; }

# Mode splice writes in the queue's own thread, which then can't exit.
for way in fail queue; do
	[[ $way == fail ]] && mode=copy || mode=splice
	add --target loop --file /tmp/mnt/file --timeout $((300 * SLOW)) --recovery $way --xfer "$mode"
	fsfreeze -f /tmp/mnt
	dd if=/dev/zero of="$dev" bs=4k count=1 oflag=direct status=none 2>/tmp/err &
	writer=$!
	ok "$way: the server waits for its storage" until_ok 10 stuck
	kill -KILL "$server"
	if [[ $way == fail ]]; then
		ok "$way: the server is killed then: the device goes" until_ok 10 gone "$dev"
	else
		ok "$way: the server is killed then: the device waits for another" until_ok 10 is_state quiesced
	fi
	status=0
	wait $writer || status=$?
	is "$status $(grep -o 'Input/output error' /tmp/err)" "1 Input/output error" "$way: the request fails"
	ok "$way: the server is still there" kill -0 "$server"
	fsfreeze -u /tmp/mnt
	ok "$way: until its storage answers" until_ok 10 no_process "$server"
	[[ $way == fail ]] || ok "$way: then another takes over" ubdx recover --target loop --file /tmp/mnt/file "$dev"
	del --force "$dev"
done
ok "umount" until_ok 10 umount /tmp/mnt
del "$below"

# ---- killed with the namespace in which its device is mounted ----

# in_a_container CMD...: in a mount namespace of its own, serve /tmp/file, mount the device, write a
# file, then run CMD. After that only the server is left, unless CMD has killed it.
in_a_container() {
	rm -f /tmp/added
	# shellcheck disable=SC2016 # the inner shell expands it
	unshare --mount --propagation private bash -c '
		ubdx add --foreground --target loop --file /tmp/file --recovery queue >/tmp/added 2>/tmp/err &
		server=$!
		until [[ -s /tmp/added ]]; do kill -0 $server; read -rt 0.05 <> <(:) || true; done
		mkfs.ext4 -q "$(</tmp/added)"
		mount "$(</tmp/added)" /tmp/mnt
		echo kept >/tmp/mnt/file
		eval "$1"' -- "$*" &
	container=$!
	until_ok 30 test -s /tmp/added
	use "$(</tmp/added)"
}
# The shell may not have reaped the process yet.
ended() { ! kill -0 "$1" || grep -q '^State:.Z' "/proc/$1/status"; }
recovered() { ubdx recover --target loop --file /tmp/file "$dev"; }
holds_file() {
	mount "$dev" /tmp/mnt
	[[ $(</tmp/mnt/file) == kept ]]
	umount /tmp/mnt
}
truncate -s 16M /tmp/file

in_a_container true
ok "a container ends, and leaves its server" until_ok 20 ended $container
kill -KILL "$server"
ok "   which is killed: its device waits for another" until_ok 10 is_state quiesced
ok "   another takes over" recovered
ok "   the device has what was written" holds_file
del "$dev"

# shellcheck disable=SC2016 # the inner shell expands it
in_a_container 'sync; echo kept >>/tmp/mnt/file; kill -KILL $server'
ok "a container's server is killed: its device waits for another" until_ok 20 is_state quiesced
ok "   another takes over while the container's end waits for it" recovered
ok "   and the container ends" until_ok 10 ended $container
ok "   a clean file system is left" fsck.ext4 -fn "$dev"
del "$dev"

finish
