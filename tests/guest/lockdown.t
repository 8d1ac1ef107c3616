#!/usr/bin/env bash
# SPDX-License-Identifier: GPL-2.0
#
# The driver, once loaded, keeps working when the kernel is locked down. A locked-down kernel loads
# no unsigned module.
#
# alone: a kernel stays locked down

# shellcheck disable=SC2317 # functions are called by ok
. tests/guest/lib/guest.sh

readonly LEVEL=/sys/kernel/security/lockdown

verified_writes() {
	run_fio --name=job --filename="$dev" --direct=1 --ioengine=io_uring --iodepth=8 --rw=randwrite --size=4m --verify=crc32c \
		--verify_fatal=1
}

mount -t securityfs securityfs /sys/kernel/security 2>/dev/null || true
load
# This works before the lockdown. So the lockdown is the reason for the refusals below.
ok "an unsigned module is loaded" insmod ubdx_pause.ko
rmmod ubdx_pause
mapfile -t modes < <(ubdx features --json | jq -r '.driver_xfer_modes[]')
for level in integrity confidentiality; do
	if [[ ! -e $LEVEL ]]; then
		skip "$level" "this kernel has no lockdown"
		continue
	fi
	ok "$level: the kernel is locked down" eval "echo $level >$LEVEL"
	add --target mem --size 16M
	for mode in "${modes[@]}"; do
		ubdx set --xfer "$mode" "$dev" >/dev/null
		ok "$level: a device serves in mode $mode" verified_writes
		ok "$level: it was in that mode" test "$(counted_in "$mode")" -gt 0
	done
	ok "$level: its files in sysfs can be read" cat "$sys/ubdx/counters"
	ok "$level: it is deleted" del "$dev"
	fails "$level: an unsigned module isn't loaded" 1 "could not insert module ubdx_pause.ko: Operation not permitted" insmod ubdx_pause.ko
done
finish
