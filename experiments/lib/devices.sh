# SPDX-License-Identifier: GPL-2.0
# shellcheck shell=bash disable=SC2034 # DEV is for who sources this
#
# Devices under test (sourced in the guest). Each kind is a pair of functions: up_KIND ARGUMENTS... makes a device from freshly
# loaded modules and sets DEV to its name; down_KIND removes all of it again. Each step is tied to the last with &&, as bash's
# errexit is off in functions whose status is asked for. up_KIND returns 77 where the kernel lacks it.

DEV=''
server=''
readonly SIZE_GIB=8 DEPTH=128 MAX_IO=1M

up_null_blk() {
	modprobe null_blk queue_mode=2 irqmode=0 submit_queues=1 poll_queues=0 hw_queue_depth=$DEPTH bs=512 gb=$SIZE_GIB max_sectors=8192 &&
		DEV=nullb0
}

down_null_blk() { modprobe -r null_blk; }

up_loop() {
	up_null_blk &&
		modprobe loop max_loop=1 hw_queue_depth=$DEPTH &&
		losetup --direct-io=on --sector-size 512 /dev/loop0 /dev/nullb0 &&
		DEV=loop0
}

down_loop() { losetup -d /dev/loop0 && modprobe -r loop && down_null_blk; }

# nbdkit goes to the background once it listens, nbd-client once the device is live.
up_nbd() {
	modprobe nbd nbds_max=1 max_part=0 &&
		nbdkit -U /run/nbd.sock -P /run/nbd.pid null size=${SIZE_GIB}G &&
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

# The server prints the device's path when it is live, or ends.
up_ublk() {
	local path='' status=0
	modprobe ublk_drv || return
	[[ -p /run/live ]] || mkfifo /run/live
	ublk-peer --size ${SIZE_GIB}G --depth $DEPTH --max-io $MAX_IO "$@" >/run/live &
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

up_ublk_over_null_blk() {
	local status=0
	up_null_blk || return
	up_ublk --target loop --file /dev/nullb0 "$@" || status=$?
	((status == 0)) || down_null_blk
	return $status
}

down_ublk_over_null_blk() { down_ublk && down_null_blk; }

# `ubdx add` goes to the background once the device is live, and says where it is. Buffers are there from the start, as the
# peer's are: faulting them in would be counted as the first requests'.
ubdx_add() {
	local path
	insmod /ubdx/ubdx.ko &&
		path=$(ubdx add --id 0 --queues 1 --depth $DEPTH --max-io $MAX_IO --prefault $MAX_IO \
			--physical-block-size 512 --max-segments 128 --max-segment-size 64K --dma-align 512 "$@") &&
		DEV=${path#/dev/}
}

up_ubdx() { ubdx_add --target null --size ${SIZE_GIB}G "$@"; }

down_ubdx() { ubdx del 0 >/dev/null && rmmod ubdx; }

up_ubdx_over_null_blk() { up_null_blk && ubdx_add --target loop --file /dev/nullb0 --direct "$@"; }

down_ubdx_over_null_blk() { down_ubdx && down_null_blk; }
