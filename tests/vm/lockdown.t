#!/usr/bin/env bash
# SPDX-License-Identifier: GPL-2.0
#
# Once it is loaded, the module works in a kernel that is locked down, as far as that goes; and an unsigned one isn't loaded then.

# shellcheck disable=SC2317 # functions are called by ok
. tests/vm/lib.sh

readonly LEVEL=/sys/kernel/security/lockdown

verified_writes() {
	run_fio --name=job --filename="$dev" --direct=1 --ioengine=io_uring --iodepth=8 --rw=randwrite --size=4m --verify=crc32c \
		--verify_fatal=1
}

mount -t securityfs securityfs /sys/kernel/security 2>/dev/null || true
load
for level in integrity confidentiality; do
	if [[ ! -e $LEVEL ]]; then
		skip "$level" "this kernel has no lockdown"
		continue
	fi
	ok "$level: the kernel is locked down" eval "echo $level >$LEVEL"
	add --target mem --size 16M
	ok "$level: a device serves" verified_writes
	ok "$level: its files in sysfs can be read" cat "$sys/ubdx/counters"
	ok "$level: it is deleted" del "$dev"
	fails "$level: an unsigned module isn't loaded" insmod ubdx_pause.ko
done
finish
