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

# ---- loop: the extent is a regular file, which a worker reads and writes ----

mkfs.ext4 -q "$fast"
mkdir -p /tmp/below
mount "$fast" /tmp/below
dd if=/dev/urandom of=/tmp/data bs=64k count=1 status=none
is_writing() { local writes; read -r _ writes <"$sys/inflight"; ((writes)); }
for how in '' --direct; do
	what="a regular file${how:+, direct}"
	truncate -s 24M /tmp/below/file
	# shellcheck disable=SC2086 # none, or one
	add --target loop --file /tmp/below/file $how --extents
	filesystem_works ext4 /tmp/tree defaults mkfs.ext4 e2fsck -fn
	ok "$what: most of that didn't come to the server" test "$(hits read)" -gt 100 -a "$(hits write)" -gt 100
	# The device has a write cache, so the WRITEs of ext4's journal come with a FLUSH.
	missed=$(misses write)
	ok "$what: only WRITEs with a FLUSH came to the server" test "$missed" -lt 40
	dd if=/tmp/data of="$dev" bs=64k seek=7 oflag=direct status=none
	ok "$what: what is written is in the file" cmp -n 65536 /tmp/data /tmp/below/file 0 $((7 << 16))

	fsfreeze -f /tmp/below
	dd if=/tmp/data of="$dev" bs=64k seek=8 oflag=direct status=none &
	writer=$!
	until_ok 10 is_writing
	is "$(misses write)" $((missed + 1)) "$what: a WRITE comes to the server while the file system is frozen"
	ok "$what:    which waits" kill -0 $writer
	fsfreeze -u /tmp/below
	status=0
	wait $writer || status=$?
	is $status 0 "$what:    until it is thawed, and ends well"
	ok "$what:    with its bytes in the file" cmp -n 65536 /tmp/data /tmp/below/file 0 $((8 << 16))
	used=$(hits write)
	dd if=/tmp/data of="$dev" bs=64k oflag=direct status=none
	ok "$what: then WRITEs use the extent again" test "$(hits write)" -gt "$used"
	del "$dev"
	rm /tmp/below/file

	truncate -s 1G /tmp/below/file
	# shellcheck disable=SC2086
	add --target loop --file /tmp/below/file $how --extents
	fails "$what: the file system below is full: the WRITE fails" 1 "No space left on device" \
		dd if=/dev/zero of="$dev" bs=64k oflag=direct status=none
	del "$dev"
	rm /tmp/below/file
done
umount /tmp/below

# ---- thousands of extents: what the server and the driver know is the same ----

readonly SCATTERED=$((16 << 20))
for part in 0 50 100 keep; do
	add --target "scatter,4,$part:loop" --file "$fast" --direct --extents --xfer forward
	[[ $part != 100 ]] || is "$(sed -n 's/^extents //p' "$sys/ubdx/extents")" 16384 "scatter: each chunk has an extent"
	[[ ! -e /tmp/scattered ]] || ok "scatter, $part: all is where it was before" cmp -n $SCATTERED /tmp/scattered "$dev"
	noise /tmp/scattered $SCATTERED
	for ((pass = 0; pass < 2; pass++)); do
		dd if=/tmp/scattered of="$dev" bs=256k oflag=direct conv=notrunc status=none
	done
	ok "scatter, $part: what is written is read" cmp -n $SCATTERED /tmp/scattered "$dev"
	case $part in
	0) ok "   nothing used an extent" test "$(hits write)" == 0 ;;
	50) ok "   a part used extents" test "$(hits write)" -gt 30 -a "$(misses write)" -gt 30 ;;
	100) ok "   nothing came to the server" test "$(misses write)" == 0 ;;
	keep) ok "   answers were kept, and used" test "$(sed -n 's/^kept //p' "$sys/ubdx/extents")" -gt 100 -a "$(hits write)" -gt 100 ;;
	esac
	del "$dev"
done

# ---- a file that stands on the device itself ----

# sees PATTERN: the kernel's log has it.
sees() { grep -q "$1" <(dmesg); }
export DM_DISABLE_UDEV=1
if modprobe dm_mod 2>/dev/null; then
	add --target loop --file "$fast" --direct --extents --recovery queue --timeout 3 --xfer copy
	dmsetup create own --table "0 $(blockdev --getsz "$dev") linear $dev 0" 2>/dev/null
	dmsetup mknodes 2>/dev/null
	kill -KILL "$server"
	until_ok 10 grep -q quiesced "$sys/ubdx/state"
	ok "a server whose file is a dm device on its own device" ubdx recover --other-target --target loop --file /dev/mapper/own --direct "$dev"
	fails "   a WRITE doesn't go in circles for ever" 1 "Connection timed out" \
		within 60 dd if=/tmp/data of="$dev" bs=64k oflag=direct status=none
	ok "   the log says why" sees "is a file of the server on the device itself"
	ok "   the device can be deleted by force" within 20 ubdx del --force "$dev"
	dmsetup remove --retry own
	until_ok 10 gone "$dev"
fi

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
