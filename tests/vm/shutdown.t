#!/usr/bin/env bash
# SPDX-License-Identifier: GPL-2.0
#
# Under full load a device can be deleted by force, its server killed or stopped, and the module unloaded right after:
# every request ends, with EIO if it was not served, nothing hangs, and nothing stays. The same below a mounted file
# system with dirty data.
#
# lab: --smp 4

# shellcheck disable=SC2317 # functions are called by ok
. tests/vm/lib.sh

# Four jobs, all with requests under way.
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

# jobs_end WHAT: soon, all of them, and each because of EIO, which is 5.
jobs_end() {
	ok "$1: the jobs end" until_ok 20 no_process $jobs
	wait $jobs || true
	is "$(jq -c '[.jobs[].error]' /tmp/jobs)" "[5,5,5,5]" "$1: by EIO"
}

# A module that something holds on to for long is not unloaded, and neither is one that is not loaded.
unload_soon() { until_ok 10 rmmod ubdx; }

modprobe brd rd_nr=1 rd_size=16384
for target in "mem --size 16M" "loop --file /dev/ram0 --direct"; do
	for way in del kill stop; do
		# It takes the command five seconds to give such a server up.
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
			# A server that does nothing any more.
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

# ---- a server that is late to leave ----

load
add --target mem --size 1M --depth 4
late=$server
kill -STOP "$late"
ubdx del "$dev" &
deletion=$!
until_ok 10 gone "$sys"
# its number is taken until the very end
next_of_that_number() { ubdx add --target mem --size 1M --depth 4 --id 0 >/dev/null; }
until_ok 10 next_of_that_number
use /dev/ubdxb0
kill -CONT "$late"
wait $deletion
ok "a server that was late has left" until_ok 10 no_process "$late"
is "$(ubdx list --json | jq -c '.[] | [.id, .state, .server_pid]')" "[0,\"live\",$server]" "the next device of that number is not its business"
ok "and works" dd if="$dev" of=/dev/null bs=4k count=1 iflag=direct status=none

finish
