#!/usr/bin/env bash
# SPDX-License-Identifier: GPL-2.0
#
# Extents: the driver itself sends I/O in an extent to a block device (tests/guest/extents.c). With
# target loop the whole device is one extent: a file system works on the device, and the visible
# disk's statistics count all I/O.

. tests/guest/lib/guest.sh

fast=$(null_disk fast 64 10000)
slow=$(null_disk slow 64 4000000000) # the I/O timeout of null_blk is five seconds
load
run_tap extents bin/extents "$fast" "$slow"

# ---- loop: the device is one extent ----

add --target loop --file "$fast" --direct --extents
many_files /tmp/tree
filesystem_works ext4 /tmp/tree defaults mkfs.ext4 e2fsck -fn
hits() { sed -n "s/^$1_hits //p" "$sys/ubdx/extents"; }
ok "most of that didn't come to the server" test "$(hits read)" -gt 100 -a "$(hits write)" -gt 100
misses() { sed -n "s/^$1_misses //p" "$sys/ubdx/extents"; }
is "$(misses write)" 0 "no WRITE came to the server"
# The partition scan starts with the device, so it can read before the server has set the extent.
ok "no READs but the partition scan's came to the server" test "$(misses read)" -lt 16
before=$(<"$sys/stat")
dd if="$dev" of=/dev/null bs=64k count=16 iflag=direct status=none
read -r -a before <<<"$before"
read -r -a after <"$sys/stat"
is "$((after[0] - before[0])) $((after[2] - before[2]))" "16 2048" "the disk's statistics count the READs"
before=("${after[@]}")
blkdiscard -f -z -o 0 -l 1M "$dev"
read -r -a after <"$sys/stat"
ok "and the requests that come to the server" test $((after[4] + after[11])) -gt $((before[4] + before[11]))
ok "there is a hidden disk" test -e "/sys/block/ubdxh${name#ubdxb}" -a ! -e "/dev/ubdxh${name#ubdxb}"
del "$dev"
ok "the hidden disk goes with the device" test ! -e "/sys/block/ubdxh${name#ubdxb}"

# ---- a server that doesn't offer forward ----

add --target loop --file "$fast" --direct --extents --offer copy --recovery reissue
is "$(sed -n 's/^extents //p' "$sys/ubdx/extents")" 1 "a server that offers copy only has its extent, too"
kill -KILL "$server"
until_ok 10 grep -q quiesced "$sys/ubdx/state"
is "$(sed -n 's/^extents //p' "$sys/ubdx/extents")" 0 "   it goes with the server"
ok "   the next one" ubdx recover --target loop --file "$fast" --direct --offer copy "$dev"
is "$(sed -n 's/^extents //p' "$sys/ubdx/extents")" 1 "   has it again"
del "$dev"
null_disks_gone
finish
