#!/usr/bin/env bash
# SPDX-License-Identifier: GPL-2.0
#
# Each operation of the block layer has its effect on the backing store, and is counted once: READ,
# WRITE, FLUSH, FUA, DISCARD, WRITE_ZEROES with and without NOUNMAP.

# shellcheck disable=SC2317 # functions are called by ok
. tests/guest/lib/guest.sh

readonly MIB=1048576

# Fill the device with 8 MiB of random bytes. /tmp/want always has what the device should hold.
fill() {
	noise /tmp/want $((8 * MIB))
	dd if=/tmp/want of="$dev" bs=1M oflag=direct status=none
}

as_wanted() { cmp /tmp/want "$dev"; }

# zeroed OFFSET BYTES: record in /tmp/want that these bytes should be zero now.
zeroed() { fallocate -p -o "$1" -l "$2" /tmp/want; }

# check_operations WHERE: try each operation on $dev. The function `used` prints how much of the
# backing store is allocated, in KiB.
check_operations() {
	local where=$1 before

	fill
	counts "$where: reads" read 64 262144 dd if="$dev" of=/tmp/got bs=4k count=64 iflag=direct status=none
	ok "$where: reads return what was written" cmp -n 262144 /tmp/want /tmp/got
	counts "$where: writes" write 16 $MIB dd if=/tmp/want of="$dev" bs=64k count=16 oflag=direct conv=notrunc status=none
	ok "$where: writes change nothing else" as_wanted

	before=$(used)
	counts "$where: discard" discard 1 $((2 * MIB)) blkdiscard -o $MIB -l $((2 * MIB)) "$dev"
	zeroed $MIB $((2 * MIB))
	ok "$where: discard gives space back" near $((before - $(used))) 2048
	ok "$where: what was discarded reads as zeroes" as_wanted
	ok "$where: a discard may begin and end anywhere" blkdiscard -o 4608 -l $((MIB - 8192)) "$dev"
	zeroed 4608 $((MIB - 8192))
	ok "$where: it discards nothing else" as_wanted

	before=$(used)
	counts "$where: zeroes that keep space" write_zeroes 1 $MIB fallocate -z -o $((4 * MIB)) -l $MIB "$dev"
	counts "$where: the same by ioctl" write_zeroes 1 $MIB blkdiscard -z -o $((5 * MIB)) -l $MIB "$dev"
	zeroed $((4 * MIB)) $((2 * MIB))
	ok "$where: they are zeroes" as_wanted
	ok "$where: they keep space" near $((before - $(used))) 0
	counts "$where: zeroes that need not keep space" write_zeroes 1 $MIB fallocate -p -o $((6 * MIB)) -l $MIB "$dev"
	zeroed $((6 * MIB)) $MIB
	ok "$where: they are zeroes as well" as_wanted
	ok "$where: they give space back" near $((before - $(used))) 1024
	is "$(cat "$sys/ubdx/errors")" $'failed 0\naborted 0\nstale 0\nreissued 0\nretried 0' "$where: nothing failed"
}

# near A B: are A and B, in KiB, equal, except for blocks that the file system uses for itself?
near() { (($1 >= $2 - 64 && $1 <= $2 + 64)); }

load

# ---- each target ----

# --prefault makes all buffers resident at the start. So if the server's memory grows later, the
# target has allocated it.
add --target mem --size 8M --prefault 512K
used() { sed -n 's/^RssAnon:\s*\(.*\) kB/\1/p' "/proc/$server/status"; }
check_operations mem
del "$dev"

used() { echo $(($(allocated "$backing") / 2)); }
backing=/tmp/backing
noise $backing $((8 * MIB))
add --target loop --file $backing
check_operations "loop on tmpfs"
sync "$dev"
ok "loop on tmpfs: the file holds what the device does" cmp /tmp/want $backing
del "$dev"

modprobe brd rd_nr=1 rd_size=65536
mkfs.ext4 -q /dev/ram0
mkdir -p /tmp/ext4
mount /dev/ram0 /tmp/ext4
backing=/tmp/ext4/backing
noise $backing $((8 * MIB))
sync $backing
add --target loop --file $backing --direct
check_operations "loop on ext4, direct"
ok "loop on ext4, direct: the file holds what the device does" cmp /tmp/want $backing
del "$dev"
umount /tmp/ext4

add --target mem --size 8M --no-discard
is "$(limit discard_max_bytes)" 0 "--no-discard: there is no discard"
fails "--no-discard: and a discard fails" 2 "Operation not supported" blkdiscard "$dev"
counts "--no-discard: zeroes can be written" write_zeroes 1 $MIB fallocate -p -o 0 -l $MIB "$dev"
del "$dev"

# ---- a file that is truncated under the device ----

backing=/tmp/short
noise $backing $((2 * MIB))
add --target loop --file $backing
truncate -s $MIB $backing
fails "what is cut off can't be read" 1 "Input/output error" dd if="$dev" of=/dev/null bs=4k skip=256 count=1 iflag=direct status=none
fails "nor written" 1 "Input/output error" dd if=/dev/zero of="$dev" bs=4k seek=256 count=1 oflag=direct status=none
fails "nor zeroed" 1 "Input/output error" fallocate -z -o $MIB -l 65536 "$dev"
is "$(stat -c %s $backing)" $MIB "the file doesn't grow again"
ok "what is left can be written" dd if=/dev/zero of="$dev" bs=4k seek=255 count=1 oflag=direct status=none
del "$dev"

# ---- FLUSH and FUA: target loop on another ubdx device, whose requests are traced ----

# issued FLAGS CMD...: how many requests with these flags (rwbs) reach the lower device while CMD
# runs.
issued() {
	local flags=$1 events=/sys/kernel/tracing/events/block/block_rq_issue
	shift
	: >/sys/kernel/tracing/trace
	echo 1 >$events/enable
	"$@"
	echo 0 >$events/enable
	grep -cE "block_rq_issue: ${lower_number} $flags " /sys/kernel/tracing/trace || true
}

write8() { dd if=/tmp/want of="$dev" bs=4k count=8 conv=notrunc status=none oflag="$1"; }

add --target mem --size 8M --write-cache --fua
lower=$dev lower_number=$(tr : , <"$sys/dev")
is "$(limit write_cache) $(limit fua)" "write back 1" "--write-cache --fua are what the block layer sees"
counts "fsync" flush 1 0 sync "$dev"

add --target loop --file "$lower" --direct
is "$(limit write_cache) $(limit fua)" "write back 1" "loop has the cache of its backing device"
counts "fsync, through loop" flush 1 0 sync "$dev"
is "$(issued FF? sync "$dev")" 1 "a FLUSH is passed on"
is "$(issued FF? write8 direct)" 0 "a write brings no FLUSH"
is "$(issued WF.* write8 direct)" 0 "a plain write is not FUA"
is "$(issued WF.* write8 direct,dsync)" 8 "a FUA write is FUA at the backing store, too"
del "$dev"

add --target loop --file "$lower" --direct --no-fua
is "$(limit write_cache) $(limit fua)" "write back 0" "--no-fua is what the block layer sees"
is "$(issued WF.* write8 direct,dsync)" 0 "--no-fua: none is sent"
ok "--no-fua: a FLUSH after each instead" test "$(issued FF? write8 direct,dsync)" -ge 8
del "$dev"

add --target loop --file "$lower" --direct --no-write-cache
is "$(limit write_cache)" "write through" "--no-write-cache is what the block layer sees"
counts "--no-write-cache: fsync has nothing to flush" flush 0 0 sync "$dev"
is "$(issued WF.* write8 direct)" 8 "--no-write-cache: each write is stable when it ends"

finish
