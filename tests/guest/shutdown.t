#!/usr/bin/env bash
# SPDX-License-Identifier: GPL-2.0
#
# Under full load a device is deleted by force, also with a stopped server, or its server is killed,
# and the module is unloaded right after. Every request ends, with EIO if it was not served, nothing
# hangs, and nothing is left. The same happens below a mounted file system with dirty data. Deletion
# in good order, by a signal or del --in-use, loses nothing, in any mode.
#
# lab: --smp 4

# shellcheck disable=SC2317 # functions are called by ok
. tests/guest/lib/guest.sh

# Four jobs with requests under way.
start_jobs() {
	fio --name=job --filename="$dev" --direct=1 --ioengine=io_uring --iodepth=16 --rw=randrw --time_based --runtime=300 \
		--bssplit=512/30:4k/50:64k/20 --numjobs=4 --size=4m --offset_increment=4m --eta=never --allow_file_create=0 \
		--output-format=json --output=/tmp/jobs 2>/dev/null &
	jobs=$!
	until_ok 30 busy
}

busy() {
	local reads
	reads=$(counted read)
	((${reads% *} > 300))
}

# jobs_end WHAT: all jobs end soon, each with EIO (5).
jobs_end() {
	ok "$1: the jobs end" until_ok 20 no_process $jobs
	wait $jobs || true
	is "$(jq -c '[.jobs[].error]' /tmp/jobs)" "[5,5,5,5]" "$1: by EIO"
}

# This fails if something holds the module for long, and if the module is not loaded.
unload_soon() { until_ok 10 rmmod ubdx; }

modprobe brd rd_nr=1 rd_size=16384
for target in "mem --size 16M" "loop --file /dev/ram0 --direct"; do
	for way in del kill stop; do
		# The command waits five seconds for a stopped server to exit. One such case is
		# enough.
		[[ $way/$target != stop/loop* ]] || continue
		what="${target%% *}, $way"
		load
		# shellcheck disable=SC2086 # words
		add --target $target --queues 4 --depth 32
		start_jobs
		case $way in
		del) ok "$what: the command succeeds" within 20 ubdx del --force "$dev" ;;
		kill) kill -KILL "$server" ;;
		stop)
			# The server does nothing any more.
			kill -STOP "$server"
			ok "$what: the command succeeds" within 20 ubdx del --force "$dev"
			;;
		esac
		jobs_end "$what"
		kill -KILL "$server" 2>/dev/null || true
		ok "$what: the module unloads right after" unload_soon
		ok "$what: nothing is left in /dev" gone "$dev"
		ok "$what: nor a process" until_ok 5 no_process "$server"
	done
done

# ---- below a file system ----

mkdir -p /tmp/mnt
dirty() {
	local i
	for ((i = 0; ; i++)); do
		dd if=/dev/urandom of="/tmp/mnt/$((i % 32))" bs=64k count=4 status=none || return 0
		((i % 8)) || sync -f /tmp/mnt || return 0
	done
}

write_stable() {
	echo x >&8
	sync /tmp/mnt/open
}

for way in del kill; do
	what="mounted ext4, $way"
	load
	add --target mem --size 64M --queues 2
	mkfs.ext4 -q "$dev"
	mount "$dev" /tmp/mnt
	dirty 2>/dev/null &
	writer=$!
	exec 8>/tmp/mnt/open
	until_ok 20 test -s /tmp/mnt/20
	case $way in
	del) ok "$what: the command succeeds" within 20 ubdx del --force "$dev" ;;
	kill) kill -KILL "$server" ;;
	esac
	ok "$what: the writer ends" until_ok 20 no_process $writer
	fails "$what: what is written is not stable" 1 "Input/output error" write_stable
	exec 8>&-
	ok "$what: it can be unmounted" within 20 umount /tmp/mnt
	ok "$what: the module unloads right after" unload_soon
done

# ---- in good order, below a file system ----

load
head -c 4M /dev/urandom >/tmp/payload
mapfile -t modes < <(ubdx features --json | jq -r '.driver_xfer_modes[]')
is $((${#modes[@]} > 1)) 1 "there are modes"

new_file_system() {
	rm -f /tmp/disk
	truncate -s 48M /tmp/disk
	add --target loop --file /tmp/disk --queues 2 --xfer "$1"
	mkfs.ext4 -q "$dev"
	mount "$dev" /tmp/mnt
	cp /tmp/payload /tmp/mnt/before
}

stopping() { [[ $(<"$sys/ubdx/stopping") == 1 ]]; }
said() { dmesg | grep -q "ubdx\[$server\]: ubdxb0 $1"; }
# As at the next boot: e2fsck replays the journal of a file system that was shut down, and exits
# with 1.
check() {
	local status=0
	e2fsck -fp /tmp/disk || status=$?
	((status <= 1)) && e2fsck -fn /tmp/disk
}

# kept FILE...: another server finds the files
kept() {
	local file
	add --target loop --file /tmp/disk
	mount -o ro "$dev" /tmp/mnt
	for file; do cmp "/tmp/mnt/$file" /tmp/payload || return; done
	umount /tmp/mnt
	del "$dev"
}

for mode in "${modes[@]}"; do
	new_file_system "$mode"
	kill -TERM "$server"
	ok "$mode, SIGTERM: it is stopping" until_ok 10 stopping
	read -r -a line < <(ubdx list | tail -n 1)
	is "${line[1]} $(ubdx info --json 0 | jq -c '[.state, .stopping]')" 'stopping ["live",true]' \
		"$mode, SIGTERM: which is shown"
	ok "$mode, SIGTERM: and logged" until_ok 10 said "is in use: serving it until"
	ok "$mode, SIGTERM: it is served" cp /tmp/payload /tmp/mnt/after
	ok "$mode, SIGTERM: it can be unmounted" within 20 umount /tmp/mnt
	ok "$mode, SIGTERM: then the device goes" until_ok 10 gone "$sys"
	ok "$mode, SIGTERM: and its server" until_ok 10 no_process "$server"
	ok "$mode, SIGTERM: the file system is whole" check
	ok "$mode, SIGTERM: what was written is there" kept before after

	new_file_system "$mode"
	ok "$mode, --in-use: the command succeeds" within 60 ubdx del --in-use "$dev"
	ok "$mode, --in-use: the device is gone" gone "$sys"
	fails "$mode, --in-use: and the file system shut down" 1 "touch: " touch /tmp/mnt/after
	umount /tmp/mnt
	ok "$mode, --in-use: the file system is whole" check
	ok "$mode, --in-use: what was written is there" kept before
done

# Both signals at once, as systemd sends them at the end of a session. The lower number is delivered
# first.
new_file_system copy
kill -STOP "$server"
kill -HUP "$server"
kill -TERM "$server"
kill -CONT "$server"
ok "SIGHUP and SIGTERM: it is stopping" until_ok 10 stopping
kill -HUP "$server"
ok "and SIGHUP again: it is served" cp /tmp/payload /tmp/mnt/after
sync /tmp/mnt/after
kill -TERM "$server"
ok "a second SIGTERM: the device goes" until_ok 10 gone "$sys"
ok "and its server" until_ok 10 no_process "$server"
ok "the log says so" said "was in use; deleted by force"
umount /tmp/mnt
ok "what was stable is there" kept after

# A server that doesn't answer during the write-back.
new_file_system copy
kill -STOP "$server"
ok "--in-use --timeout: it ends by force" within 20 ubdx del --in-use --timeout 1 "$dev"
umount /tmp/mnt
kill -KILL "$server"

# ---- a server that exits late ----

add --target mem --size 1M --depth 4
late=$server
kill -STOP "$late"
ubdx del "$dev" &
deletion=$!
until_ok 10 gone "$sys"
# the number is in use until the device is gone
next_of_that_number() { ubdx add --target mem --size 1M --depth 4 --id 0 >/dev/null; }
until_ok 10 next_of_that_number
use /dev/ubdxb0
kill -CONT "$late"
wait $deletion
ok "a server that was late has exited" until_ok 10 no_process "$late"
is "$(ubdx list --json | jq -c '.[] | [.id, .state, .server_pid]')" "[0,\"live\",$server]" "it has not touched the next device with that number"
ok "and works" dd if="$dev" of=/dev/null bs=4k count=1 iflag=direct status=none

finish
