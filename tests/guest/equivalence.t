#!/usr/bin/env bash
# SPDX-License-Identifier: GPL-2.0
#
# The same requests, of odd sizes, leave the same bytes on the backing store and show the server the
# same bytes (target touch), whichever mode serves them, and also if the mode is switched at random
# meanwhile.

# shellcheck disable=SC2317 # functions are called by ok
. tests/guest/lib/guest.sh

load
mapfile -t modes < <(ubdx features --json | jq -r '.driver_xfer_modes[]')
modprobe null_blk memory_backed=1 gb=1 discard=1 max_sectors=8192
readonly image_file=/tmp/image touched_file=/tmp/touched

# The requests: each block is read or written once, so their order doesn't matter. Nothing is
# merged, so they are the same each time.
trace() {
	echo 2 >"$sys/queue/nomerges"
	run_fio --name=trace --filename="$dev" --direct=1 --ioengine=io_uring --iodepth=16 --rw=randrw --size=3m --bsrange=512-128k \
		--randseed=77 --allrandrepeat=1 --refill_buffers --serialize_overlap=1
}

# Switch the mode at random until /tmp/switch_stop exists.
switch() {
	until [[ -e /tmp/switch_stop ]]; do
		echo "${modes[RANDOM % ${#modes[@]}]}" >"$sys/ubdx/xfer"
	done
}

# trial TARGET_OPTIONS... -- MODE|switch: run the trace on a new device. Sets $image, $touched and
# $used: the number of requests that had MODE, or with switch the number of modes that were used.
trial() {
	local options=() mode
	while [[ $1 != -- ]]; do
		options+=("$1")
		shift
	done
	mode=$2
	rm -f $touched_file
	if [[ $mode == switch ]]; then
		add "${options[@]}"
		rm -f /tmp/switch_stop
		switch &
	else
		add "${options[@]}" --xfer "$mode"
	fi
	trace
	if [[ $mode == switch ]]; then
		touch /tmp/switch_stop
		wait
		used=0
		for mode in "${modes[@]}"; do
			(($(counted_in "$mode") == 0)) || used=$((used + 1))
		done
	else
		used=$(counted_in "$mode")
	fi
	ubdx set --xfer copy "$dev" >/dev/null
	# direct I/O: so these, too, are the same requests each time
	image=$(dd if="$dev" bs=128k iflag=direct status=none | sha256sum)
	is "$(errors)" 0 "no errors"
	del "$dev"
	# the server writes the file as it exits
	until_ok 10 no_process "$server"
	touched=$(<$touched_file)
}

# same WHAT TOUCHES TARGET OPTION...: for each of TOUCHES, the image and the bytes that the server
# sees are the same in all modes.
same() {
	local what=$1 touches=$2 target=$3 mode first_image first_touched touch
	shift 3
	for touch in $touches; do
		first_image='' first_touched=''
		for mode in "${modes[@]}" switch; do
			[[ $mode != switch || $touch == all ]] || continue
			rm -f $image_file
			truncate -s 16M $image_file
			blkdiscard -f /dev/nullb0 2>/dev/null
			trial --target "touch,$touch,$touched_file:$target" "$@" -- "$mode"
			: "${first_image:=$image}" "${first_touched:=$touched}"
			ok "$what, touch $touch: $mode was used" test "$used" -gt 1
			is "$image" "$first_image" "$what, touch $touch, $mode: the same image"
			is "$touched" "$first_touched" "$what, touch $touch, $mode: the same was seen"
		done
		[[ $touch == none ]] || ok "$what, touch $touch: something was seen" test "${first_touched%% *}" -gt 0
	done
}

same "loop, buffered" "header all" loop --file $image_file --size 16M --depth 32 --max-io 128K
same "loop, direct" all loop --file /dev/nullb0 --direct --size 16M --depth 32 --max-io 128K
same "mem" "none all" mem --size 16M --depth 32 --max-io 128K

# ---- one pipe a queue, not one a tag ----

files() { find "/proc/$server/fd" -type l | wc -l; }

add --target null --size 1M --depth 1 --xfer splice
few=$(files)
add --target null --size 1M --depth 1024 --max-io 64K --xfer splice
is "$(files)" "$few" "a depth of 1024 takes no more descriptors than one of 1"

finish
