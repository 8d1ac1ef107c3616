#!/usr/bin/env bash
# SPDX-License-Identifier: GPL-2.0
#
# A server has reached the limit of its memory cgroup. It serves the requests for which it has
# buffers. The driver retries the others until the server can allocate memory. No request fails, and
# nothing is killed.
#
# The kernel logs a stack trace each time that it finds no process to kill. So the test checks the
# log itself.
#
# lab: --no-scan

# shellcheck disable=SC2317 # functions are called by ok
. tests/guest/lib/guest.sh

readonly MIB=1048576 group=/sys/fs/cgroup/limited
# On a debug kernel each attempt without memory takes a second, because the kernel logs that it has
# found no process to kill. So the test does less there.
readonly DEPTH=$((64 / LESS)) STEP=$((MIB / LESS)) SIZE=$((32 * MIB / LESS))

in_group() { (echo "$BASHPID" >$group/cgroup.procs && exec "$@"); }
# A count of $sys/ubdx/errors.
count() { sed -n "s/^$1 //p" "$sys/ubdx/errors"; }
retried_since() { (($(count retried) > $1)); }
retried() { retried_since 0; }
some_written() { local n; n=$(counted write); ((${n% *} > 0)); }
# So many WRITEs wait for the server that it needs twice the memory that it may use.
many_wait() { (($(sed 's/^ *[0-9]* *//' "$sys/inflight") >= DEPTH / 2)); }
still_there() { kill -0 "$server"; }

log_clean() {
	dmesg -r | grep -v 'Call Trace' >/tmp/log
	lab/scan /tmp/log
}

echo 1 >/proc/sys/kernel/printk # the console is slow
echo 0 >/proc/sys/vm/oom_dump_tasks
load
modprobe brd rd_nr=1 rd_size=65536
mkdir $group

for mode in copy user; do
	# A server that exits gives its memory back a moment later.
	echo max >$group/memory.max
	dev=$(in_group ubdx add --target loop --file /dev/ram0 --direct --depth $DEPTH --max-io 512K --prefault 0 --timeout $((30 * SLOW)) --xfer $mode)
	use "$dev"
	echo $(($(<$group/memory.current) + 8 * STEP)) >$group/memory.max
	kill -STOP "$server"
	run_fio --name=write --filename="$dev" --direct=1 --ioengine=io_uring --iodepth=$DEPTH --bs=512k --size=$SIZE --rw=randwrite \
		--verify=crc32c --do_verify=0 &
	writer=$!
	until_ok 20 many_wait
	kill -CONT "$server"
	ok "$mode: without memory, requests are retried" until_ok 20 retried
	ok "$mode:    the others are served" until_ok 20 some_written
	# in small steps, so that memory becomes free in the middle of some attempts
	for ((i = 0; i < 12; i++)); do
		before=$(count retried)
		echo $(($(<$group/memory.max) + STEP)) >$group/memory.max
		until_ok 2 retried_since "$before" || break
	done
	echo max >$group/memory.max
	status=0
	wait $writer || status=$?
	is $status 0 "$mode:    and all of them once there is memory"
	ok "$mode:    with the right bytes" run_fio --name=read --filename="$dev" --direct=1 --ioengine=io_uring --iodepth=$DEPTH \
		--bs=512k --size=$SIZE --rw=randread --verify=crc32c
	is "$(count failed) $(count aborted)" "0 0" "$mode:    none has failed"
	ok "$mode:    its server lives" still_there
	del "$dev"
	until_ok 10 no_process "$server"
done

rmdir $group
ok "the kernel has no other complaint" log_clean
finish
