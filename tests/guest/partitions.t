#!/usr/bin/env bash
# SPDX-License-Identifier: GPL-2.0
#
# A device can be partitioned. Partitions begin where the table says, appear when the table is
# written or the device is added again, and disappear with the device.

# shellcheck disable=SC2317 # functions are called by ok
UDEV=1 # as on a user's machine
. tests/guest/lib/guest.sh

readonly MIB=1048576

present() { [[ -b ${1}p1 && -b ${1}p2 ]]; }
absent() { [[ ! -e ${1}p1 && ! -e ${1}p2 ]]; }

# check_place PARTITION OFFSET: data written to the partition is in the file, OFFSET bytes further
# on, and nothing else in the file has changed.
check_place() {
	local partition=$1 offset=$2
	cp /tmp/file /tmp/want
	noise /tmp/piece 65536
	dd if=/tmp/piece of="$partition" bs=64k seek=1 oflag=direct conv=notrunc status=none
	dd if=/tmp/piece of=/tmp/want bs=64k seek=$((offset / 65536 + 1)) conv=notrunc status=none
	sync "$partition"
	cmp /tmp/want /tmp/file
}

load
noise /tmp/file $((16 * MIB))

# ok() waits until every process that has ok's output open has exited. The output goes to a file, so
# that a server that hangs can't hang the test.
scan_ends() { within 20 ubdx add --id 0 --target loop --file /tmp/file >/tmp/out 2>&1; }
ok "the partition scan of a new device ends" scan_ends
((tap_failed == 0)) || finish # the scan of every further device would hang, too
use /dev/ubdxb0
settle
ok "there is no partition at first" absent "$dev"
ok "a table can be written" sfdisk -q "$dev" <<<$'start=2048,size=8192\nstart=10240'
ok "and its partitions appear" until_ok 10 present "$dev"
is "$(<"$sys/${name}p1/start") $(<"$sys/${name}p1/size") $(<"$sys/${name}p2/start")" "2048 8192 10240" "they begin where the table says, and the first has the right size"
ok "the first lies in its place" check_place "${dev}p1" $MIB
ok "so does the second" check_place "${dev}p2" $((5 * MIB))
fails "none can be written beyond its end" 1 "No space left on device" dd if=/dev/zero of="${dev}p1" bs=4k seek=1024 count=1 oflag=direct status=none
exec 9<"${dev}p2"
fails "a device with an open partition can't be deleted" 1 "is in use" del "$dev"
exec 9<&-
ok "a device whose partitions are closed can be deleted" del "$dev"
ok "its partitions disappear with it" absent "$dev"

# Not add(), which reads the table again.
dev=$(ubdx add --target loop --file /tmp/file)
ok "when the device is added again, its partitions exist before add returns" present "$dev"
ok "the table can be read again" blockdev --rereadpt "$dev"
ok "the second partition has its content" cmp -n 65536 -i 65536:$((5 * MIB + 65536)) "${dev}p2" /tmp/file
exec 9<"${dev}p2"
ok "--force deletes a device with an open partition" del --force "$dev"
ok "its partitions disappear with it" absent "$dev"
exec 9<&-

# ---- a slow scan ----

# add_slowly: add a device whose storage doesn't answer. Returns when the device has a server and a
# read of the storage is in flight: the partition scan's, or udev's.
add_slowly() {
	rm -f /tmp/added
	kill -STOP "$storage"
	ubdx add --id 7 --target loop --file "$below" --direct --timeout $((100 * SLOW)) >/tmp/added 2>/tmp/err &
	# A read in flight can be udev's. So first wait until the new device exists.
	until_ok 20 test -e /sys/block/ubdxb7/ubdx/server_pid
	until_ok 20 reads_from "${below#/dev/}"
}
reads_from() { (($(sed -n 's/ *\([0-9]*\) *[0-9]*/\1/p' "/sys/block/$1/inflight") > 0)); }
waits() { ! until_ok 1 test -s /tmp/added; }
added() { until_ok 20 test -s /tmp/added; }

add --target mem --size 16M --timeout $((100 * SLOW))
below=$dev storage=$server
dd if=/tmp/file of="$below" bs=1M oflag=direct status=none
settle
add_slowly
ok "add waits while the scan does" waits
kill -CONT "$storage"
ok "   add returns when the scan has ended" added
ok "   then the partitions are there" present /dev/ubdxb7
use /dev/ubdxb7
del "$dev"
until_ok 20 no_process "$server" # it closes its storage, which udev then reads
settle
add_slowly
kill -TERM "$(</sys/block/ubdxb7/ubdx/server_pid)"
ok "a SIGTERM meanwhile: add still waits" waits
kill -CONT "$storage"
ok "   and the device disappears" until_ok 20 gone /dev/ubdxb7
settle

# ---- a server that dies while the kernel reads the table ----

for ((i = 0; i < 3; i++)); do
	add_slowly
	kill -KILL "$(</sys/block/ubdxb7/ubdx/server_pid)"
	kill -CONT "$storage" # a process exits when its I/O has ended
	until_ok 20 gone /dev/ubdxb7 || break
	ubdx del 7 >/dev/null
	settle
done
is "$i" 3 "a server dies during the scan: the device disappears"
ok "and leaves no partitions" absent /dev/ubdxb7
del "$below"

finish
