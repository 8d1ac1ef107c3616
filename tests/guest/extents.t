#!/usr/bin/env bash
# SPDX-License-Identifier: GPL-2.0
#
# Extents that the driver has: see tests/guest/extents.c. With libubdx's server and target loop all of
# the device is one extent: file systems and partitions work, and the statistics are the visible
# disk's.

. tests/guest/lib/guest.sh

# make_disk NAME NSEC: a disk with memory, whose I/O ends in a timer's interrupt after that time.
# Prints its node.
make_disk() {
	local config=/sys/kernel/config/nullb/$1
	mkdir "$config"
	echo 64 >"$config/size"
	echo 1 >"$config/memory_backed"
	echo 512 >"$config/blocksize"
	echo 1 >"$config/discard"
	echo 2 >"$config/irqmode"
	echo "$2" >"$config/completion_nsec"
	echo 1 >"$config/power"
	echo "/dev/$1"
}

modprobe null_blk nr_devices=0
mount -t configfs configfs /sys/kernel/config
fast=$(make_disk fast 10000)
slow=$(make_disk slow 4000000000) # null_blk gives up after five seconds
until_ok 10 test -b "$slow"
load
run_tap extents bin/extents "$fast" "$slow"

# ---- loop: the device is one extent ----

add --target loop --file "$fast" --direct --extents
many_files /tmp/tree
filesystem_works ext4 /tmp/tree defaults mkfs.ext4 e2fsck -fn
hits() { sed -n "s/^$1_hits //p" "$sys/ubdx/extents"; }
ok "most of that didn't come to the server" test "$(hits read)" -gt 100 -a "$(hits write)" -gt 100
misses() { sed -n "s/^$1_misses //p" "$sys/ubdx/extents"; }
is "$(misses write)" 0 "no WRITE did"
# The partition scan starts with the device, so it can read before the server has set the extent.
ok "no READ did but the partition scan's" test "$(misses read)" -lt 16
before=$(<"$sys/stat")
dd if="$dev" of=/dev/null bs=64k count=16 iflag=direct status=none
read -r -a before <<<"$before"
read -r -a after <"$sys/stat"
is "$((after[0] - before[0])) $((after[2] - before[2]))" "16 2048" "the disk's statistics count the READs"
before=("${after[@]}")
blkdiscard -f -z -o 0 -l 1M "$dev"
read -r -a after <"$sys/stat"
ok "and what comes to the server" test $((after[4] + after[11])) -gt $((before[4] + before[11]))
ok "there is a hidden disk" test -e "/sys/block/ubdxh${name#ubdxb}" -a ! -e "/dev/ubdxh${name#ubdxb}"
del "$dev"
ok "it goes with the device" test ! -e "/sys/block/ubdxh${name#ubdxb}"
rmdir /sys/kernel/config/nullb/{fast,slow}
umount /sys/kernel/config
finish
