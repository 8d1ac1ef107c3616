#!/usr/bin/env bash
# SPDX-License-Identifier: GPL-2.0
#
# FLUSH and FUA through extents: whatever a client was told is stable is on the disk below after a
# power cut at any moment. dm-log-writes says what would be there (tests/guest/powercut.c).

# shellcheck disable=SC2317 # functions are called by ok
. tests/guest/lib/guest.sh

load
if ! modprobe dm_log_writes 2>/dev/null; then
	skip "power cuts" "this kernel has no dm-log-writes"
	finish
fi
disk=$(null_disk disk 64 10000 cache_size=1)
log=$(null_disk log 256 10000)
again=$(null_disk again 64 10000)
export DM_DISABLE_UDEV=1

# cut WHAT FILE-OPTION...: a server's file is on a logged disk; write, and check the log.
cut() {
	local what=$1
	shift
	dmsetup create logged --table "0 $(blockdev --getsz "$disk") log-writes $disk $log"
	dmsetup mknodes
	add --target loop --file /dev/mapper/logged --direct "$@"
	ok "$what: writes" bin/powercut write "$dev" logged
	hits=$(sed -n 's/^write_hits //p' "$sys/ubdx/extents" 2>/dev/null || true)
	del "$dev"
	dmsetup remove --retry logged
	run_tap "$what" bin/powercut check "$log" "$again"
	blkdiscard -f "$disk"
	blkdiscard -f "$log"
	blkdiscard -f "$again"
}

cut "extents" --extents
ok "the writes used extents" test "$hits" -gt 250
for mode in $(ubdx features --json | jq -r '.driver_xfer_modes[]'); do
	cut "$mode" --xfer "$mode"
done
null_disks_gone
finish
