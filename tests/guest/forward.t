#!/usr/bin/env bash
# SPDX-License-Identifier: GPL-2.0
#
# Mode forward: the driver does the I/O of a request that is answered with extents, and I/O that the
# driver has begun outlives the server. See tests/guest/forward.c.

# shellcheck disable=SC2317 # functions are called by ok

. tests/guest/lib/guest.sh

fast=$(null_disk fast 64 10000)
slow=$(null_disk slow 64 4000000000) # the I/O timeout of null_blk is five seconds
cached=$(null_disk cached 64 10000 cache_size=1)
load
run_tap forward bin/forward "$fast" "$slow"

# ---- libubdx's server, which claims the disk ----

is_writing_to() { local writes; read -r _ writes <"/sys/block/$1/inflight"; ((writes)); }
fails_to_end_well() { ! wait "$1"; }
for recovery in queue reissue; do
	add --target loop --file "$slow" --direct --xfer forward --recovery $recovery
	dd if=/dev/urandom of=/tmp/data bs=64k count=1 status=none
	dd if=/tmp/data of="$dev" bs=64k count=1 oflag=direct status=none &
	writer=$!
	until_ok 20 is_writing_to slow
	kill -KILL "$server"
	until_ok 20 is_state quiesced
	ok "$recovery: a server is killed while the disk writes: another one recovers the device" \
		ubdx recover --target loop --file "$slow" --direct "$dev"
	status=0
	wait $writer || status=$?
	is $status 0 "$recovery:    the WRITE has ended well"
	is "$(sed -n 's/^forward write \([0-9]*\) .*/\1/p' "$sys/ubdx/counters")" 1 "$recovery:    and was served once"
	ok "$recovery:    its bytes are there" cmp -n 65536 /tmp/data "$dev"
	del "$dev"
done

# ---- what is registered is shown ----

add --target loop --file "$fast" --direct --xfer forward
numbers=$(stat -c '%Hr:%Lr' "$fast")
is "$(<"$sys/ubdx/files")" "0 block $numbers rw bio" "the registered file is shown"
is "$(ubdx info --json "$dev" | jq -c .files)" \
	"[{\"index\":0,\"kind\":\"block\",\"numbers\":\"$numbers\",\"directions\":\"rw\",\"way\":\"bio\"}]" "   by ubdx info, too"
is "$(cat /proc/"$server"/fdinfo/* | grep -h ^ubdx-file)" "ubdx-file:	0 block $numbers rw bio" "   and by the channel's fdinfo"
del "$dev"

# ---- a disk with a cache, and a device that promises to have none ----

readonly EVENT=/sys/kernel/tracing/events/block/block_bio_queue
is_stable() {
	: >/sys/kernel/tracing/trace
	echo 1 >"$EVENT/enable"
	dd if=/tmp/data of="$dev" bs=64k count=1 oflag=direct status=none
	echo 0 >"$EVENT/enable"
	grep " block_bio_queue: $numbers WFS " /sys/kernel/tracing/trace
}
add --target loop --file "$cached" --direct --no-write-cache --xfer forward
numbers=$(stat -c '%Hr,%Lr' "$cached")
ok "a device without a write cache, on a disk that has one: each WRITE is stable" is_stable
: >/sys/kernel/tracing/trace
del "$dev"

# ---- a file system that is frozen ----

# The server serves a WRITE to such a file as in mode user, so that the WRITE can be aborted.
mkfs.ext4 -q "$fast"
mkdir -p /tmp/mnt
mount "$fast" /tmp/mnt
truncate -s 16M /tmp/mnt/file
# the server's CPU time, in clock ticks
server_ticks() {
	local stat
	read -r -a stat <"/proc/$server/stat"
	echo $((stat[13] + stat[14]))
}
writes() { dd if=/tmp/data of="$dev" bs=64k count=1 oflag=direct conv=notrunc status=none; }
add --target loop --file /tmp/mnt/file --xfer forward
ok "a file of a file system: a WRITE" writes
fsfreeze -f /tmp/mnt
writes &
writer=$!
until_ok 10 is_writing_to "$name"
ok "a WRITE while it is frozen waits" kill -0 $writer
before=$(server_ticks)
sleep 1
ok "   and its server does nothing meanwhile" test $(($(server_ticks) - before)) -lt 30
fsfreeze -u /tmp/mnt
status=0
wait $writer || status=$?
is $status 0 "   until it is thawed, and ends well"
fsfreeze -f /tmp/mnt
writes &>/dev/null &
writer=$!
until_ok 10 is_writing_to "$name"
ok "a device on a frozen file system can be deleted by force" within 10 ubdx del --force "$dev"
ok "   which ends the WRITE" fails_to_end_well $writer
fsfreeze -u /tmp/mnt
until_ok 20 no_process "$server"
umount /tmp/mnt
null_disks_gone
finish
