#!/usr/bin/env bash
# SPDX-License-Identifier: GPL-2.0
#
# A server moves its data while clients read and write: see tests/guest/relocation.c.

. tests/guest/lib/guest.sh

disk=$(null_disk disk 64 10000)
load
# null_blk stores a WRITE's data at once, even if the WRITE ends later. dm-delay delays the data. So
# with dm-delay, a WRITE for which a revocation didn't wait comes after the server's copy of the
# chunk.
slow=$disk
if modprobe dm_delay 2>/dev/null; then
	DM_DISABLE_UDEV=1 dmsetup create slow --table "0 $(blockdev --getsz "$disk") delay $disk 0 2"
	slow=/dev/mapper/slow
fi
run_tap relocation bin/relocation "$disk" "$slow"
[[ $slow == "$disk" ]] || DM_DISABLE_UDEV=1 dmsetup remove --retry slow
null_disks_gone
finish
