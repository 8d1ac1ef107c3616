# SPDX-License-Identifier: GPL-2.0
# shellcheck shell=bash disable=SC2034 # the scripts that source this file use DEV
#
# Devices under test (sourced in the guest). Each kind is a pair of functions. up_KIND ARGUMENTS...
# loads the modules, makes a device and sets DEV to its name; it returns 77 if the kernel lacks that
# kind. down_KIND removes the device and its modules. Each step is tied to the next with &&, because
# bash's errexit is off in a function whose exit status the caller tests.

DEV=''
server=''
readonly SIZE=8G DEPTH=128 MAX_IO=1M

up_null_blk() {
	modprobe null_blk queue_mode=2 irqmode=0 submit_queues=1 poll_queues=0 hw_queue_depth=$DEPTH bs=512 gb=${SIZE%G} max_sectors=8192 &&
		DEV=nullb0
}

down_null_blk() { modprobe -r null_blk; }

# The whole RAM disk is written once, so that no request has to allocate a page.
up_brd() {
	modprobe brd rd_nr=1 rd_size=$((256 << 10)) max_part=0 &&
		dd if=/dev/zero of=/dev/ram0 bs=1M count=256 oflag=direct status=none &&
		DEV=ram0
}

down_brd() { modprobe -r brd; }

# The device that a target forwards to: null_blk or brd.
BACKING=''
up_backing() { BACKING=$1 && "up_$1"; }
down_backing() { "down_$BACKING"; }

up_loop() {
	up_backing "$1" &&
		modprobe loop max_loop=1 hw_queue_depth=$DEPTH &&
		losetup --direct-io=on --sector-size 512 /dev/loop0 "/dev/$DEV" &&
		DEV=loop0
}

down_loop() { losetup -d /dev/loop0 && modprobe -r loop && down_backing; }

# nbdkit goes to the background when it listens, nbd-client when the device is live.
up_nbd() {
	modprobe nbd nbds_max=1 max_part=0 &&
		nbdkit -U /run/nbd.sock -P /run/nbd.pid null size=$SIZE &&
		nbd-client -unix /run/nbd.sock /dev/nbd0 -block-size 512 >/dev/null &&
		DEV=nbd0
}

down_nbd() {
	local pid
	nbd-client -d /dev/nbd0 >/dev/null &&
		read -r pid </run/nbd.pid &&
		kill "$pid" &&
		tail -s 0.01 --pid="$pid" -f /dev/null &&
		rm -f /run/nbd.sock /run/nbd.pid &&
		modprobe -r nbd
}

# The server prints the device's path when the device is live. If it can't start, it exits.
up_ublk() {
	local path='' status=0
	modprobe ublk_drv || return
	[[ -p /run/live ]] || mkfifo /run/live
	ublk-peer --size $SIZE --depth $DEPTH --max-io $MAX_IO "$@" >/run/live &
	server=$!
	read -r path </run/live || true
	if [[ -z $path ]]; then
		wait "$server" || status=$?
		modprobe -r ublk_drv
		return "$status"
	fi
	DEV=${path#/dev/}
}

down_ublk() { kill "$server" && wait "$server" && modprobe -r ublk_drv; }

up_ublk_over() {
	local status=0
	up_backing "$1" || return
	up_ublk --target loop --file "/dev/$DEV" "${@:2}" || status=$?
	((status == 0)) || down_backing
	return $status
}

down_ublk_over() { down_ublk && down_backing; }

# `ubdx add` prints the device's path and goes to the background when the device is live. Buffers
# are faulted in at the start, as the peer's are: otherwise the first requests would cost more.
ubdx_add() {
	local path
	insmod /ubdx/ubdx.ko &&
		path=$(ubdx add --id 0 --queues 1 --depth $DEPTH --max-io $MAX_IO --prefault $MAX_IO \
			--physical-block-size 512 --max-segments 128 --max-segment-size 64K --dma-align 512 "$@") &&
		DEV=${path#/dev/}
}

up_ubdx() { ubdx_add --target null --size $SIZE "$@"; }

down_ubdx() { ubdx del 0 >/dev/null && rmmod ubdx; }

up_ubdx_over() { up_backing "$1" && ubdx_add --target loop --file "/dev/$DEV" --direct "${@:2}"; }

down_ubdx_over() { down_ubdx && down_backing; }

up_ubdx_extents() { up_ubdx_over "$@" --extents; }
down_ubdx_extents() { down_ubdx_over; }

# up_ubdx_resolver BACKING RESOLVER [OPTION...]: a BPF program, loaded with these options, says
# where the device's sectors are.
up_ubdx_resolver() {
	mountpoint -q /sys/fs/bpf || mount -t bpf bpf /sys/fs/bpf || return
	up_ubdx_extents "$1" &&
		ubdx-resolver load "${@:2}" &&
		ubdx set 0 --resolver "$2"
}
down_ubdx_resolver() {
	local name
	name=$(sed 's/.*\[\(.*\)\].*/\1/' /sys/block/ubdxb0/ubdx/resolver) &&
		ubdx del 0 >/dev/null && ubdx-resolver unload "$name" &&
		rmmod ubdx && down_backing
}

# Target scatter over a part of BACKING, with 10,000 chunks of 512 KiB; PERCENT of them are extents.
readonly SCATTER_KIB=512 SCATTER_CHUNKS=10000
up_scatter() {
	up_backing "$1" &&
		ubdx_add --target "scatter,$SCATTER_KIB,$2:loop" --file "/dev/$DEV" --direct --xfer forward \
			--size $((SCATTER_KIB * SCATTER_CHUNKS))K "${@:3}"
}

# up_ubdx_scatter BACKING PERCENT
up_ubdx_scatter() { up_scatter "$@" --extents; }
down_ubdx_scatter() { down_ubdx_over; }

# up_ubdx_scattered BACKING: without a front disk.
up_ubdx_scattered() { up_scatter "$1" 0; }
down_ubdx_scattered() { down_ubdx_over; }

# up_ubdx_scatter_bpf BACKING scatter|hash: a BPF program answers for all chunks.
up_ubdx_scatter_bpf() {
	mountpoint -q /sys/fs/bpf || mount -t bpf bpf /sys/fs/bpf || return
	up_ubdx_scatter "$1" 0 &&
		ubdx-resolver load "$2" --chunk ${SCATTER_KIB}K --chunks $SCATTER_CHUNKS --entries $SCATTER_CHUNKS || return
	[[ $2 != hash ]] || fill-hash /sys/fs/bpf/ubdx/hash/map 0 $SCATTER_KIB $SCATTER_CHUNKS || return
	ubdx set 0 --resolver "$2"
}
down_ubdx_scatter_bpf() { down_ubdx_resolver; }

up_dm_linear() {
	up_backing "$1" &&
		modprobe dm_mod &&
		dmsetup create linear --table "0 $(blockdev --getsz "/dev/$DEV") linear /dev/$DEV 0" &&
		DEV=$(dmsetup info -C --noheadings -o blkdevname linear)
}
down_dm_linear() { dmsetup remove --retry linear && modprobe -r dm_mod && down_backing; }
