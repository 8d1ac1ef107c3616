#!/usr/bin/env bash
# SPDX-License-Identifier: GPL-2.0
#
# What is read is what was written, byte for byte: many requests at a time, of 512 bytes to 1 MiB,
# from several jobs, on each target.

# shellcheck disable=SC2317 # functions are called by ok
. tests/guest/lib/guest.sh

readonly REGION=4 JOBS=3 # REGION is in MiB
readonly DEVICE=$((REGION * JOBS))

# Each 512 bytes carry their own checksum and place, so that they can be checked whatever pieces
# they are read in.
verifying() {
	run_fio --name=verify --filename="$dev" --direct=1 --ioengine=io_uring --iodepth=16 --size="${REGION}m" \
		--numjobs="$JOBS" --offset_increment="${REGION}m" --verify=crc32c --verify_interval=512 --verify_fatal=1 "$@"
}

# Reads of what has just been written run among further writes.
write_then_read() {
	verifying --rw=randwrite --bssplit=512/25:4k/25:12k/15:64k/20:512k/10:1m/5 --verify_backlog=48
}

read_otherwise() {
	verifying --rw=randread --bsrange=512-1m
}

both_directions() {
	ok "$1: writes in mixed sizes, verified" write_then_read
	ok "$1: reads in other sizes, verified" read_otherwise
}

same_bytes() {
	sync "$1"
	cmp "$1" "$2"
}

load

add --target mem --size ${DEVICE}M --max-io 1M
both_directions mem

noise /tmp/buffered $((DEVICE << 20))
add --target loop --file /tmp/buffered
both_directions "loop, buffered"
ok "loop, buffered: the file holds the device's content" same_bytes "$dev" /tmp/buffered

modprobe brd rd_nr=1 rd_size=$((DEVICE << 10))
add --target loop --file /dev/ram0 --direct
both_directions "loop, direct"
ok "loop, direct: the file holds the device's content" same_bytes "$dev" /dev/ram0

finish
