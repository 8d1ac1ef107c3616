#!/usr/bin/env bash
# SPDX-License-Identifier: GPL-2.0
#
# What the driver's own I/O on a server's file means for the client (mode forward, and extents): the
# file's errors are the client's, the I/O is charged to the client's cgroup, and a client that can't
# wait doesn't.

# shellcheck disable=SC2317 # functions are called by ok
. tests/guest/lib/guest.sh

load
if ! modprobe dm_mod 2>/dev/null; then
	skip "backings" "this kernel has no device mapper"
	finish
fi
export DM_DISABLE_UDEV=1
disk=$(null_disk disk 64 10000)
dd if=/dev/urandom of=/tmp/data bs=64k count=1 status=none
writes() { dd if=/tmp/data of="$dev" bs=64k oflag=direct conv=notrunc status=none; }
reads() { dd if="$dev" of=/dev/null bs=64k count=1 iflag=direct status=none; }

# ---- whose I/O it is ----

readonly group=/sys/fs/cgroup/client
mkdir "$group"
in_group() { (echo "$BASHPID" >"$group/cgroup.procs" && exec "$@"); }
# io FIELD: how many bytes of I/O on the disk are charged to the group.
io() { sed -n "s/^$numbers .*$1=\([0-9]*\).*/\1/p" "$group/io.stat"; }
client() { in_group dd if="$1" of="$2" bs=64k count=1 oflag=direct conv=notrunc status=none; }

charged() {
	local what=$1 file=$2 before
	shift 2
	add --target loop --file "$file" --direct "$@"
	before=$(io wbytes)
	client /tmp/data "$dev"
	is $(($(io wbytes) - ${before:-0})) 65536 "$what: a client's WRITE is charged to its cgroup"
	before=$(io rbytes)
	in_group dd if="$dev" of=/dev/null bs=64k count=1 iflag=direct status=none
	is $(($(io rbytes) - ${before:-0})) 65536 "$what:    so is a READ"
	del "$dev"
}

numbers=$(stat -c '%Hr:%Lr' "$disk")
charged "forward, block device" "$disk" --xfer forward
charged "extents, block device" "$disk" --extents
mkfs.ext4 -q "$disk"
mkdir -p /tmp/below
mount "$disk" /tmp/below
dd if=/dev/zero of=/tmp/below/file bs=1M count=16 conv=fsync status=none
charged "forward, file" /tmp/below/file --xfer forward
charged "extents, file" /tmp/below/file --extents
umount /tmp/below
rmdir "$group"

# ---- errors, and clients that can't wait ----

sectors=$(blockdev --getsz "$disk")
# table TARGET: what is below the device from now on.
table() { dmsetup suspend --nolockfs below && dmsetup reload below --table "0 $sectors $1" && dmsetup resume below; }
nowait() { timeout 10 xfs_io -d -c "pwrite -q -V 1 -N -b 64k 0 64k" "$dev"; }

for how in "--xfer forward" --extents; do
	what=${how#--xfer }
	what=${what#--}
	dmsetup create below --table "0 $sectors linear $disk 0"
	dmsetup mknodes
	# shellcheck disable=SC2086 # one word or two
	add --target loop --file /dev/mapper/below --direct --no-write-cache $how
	ok "$what: a WRITE" writes
	table error
	fails "$what: the disk fails: so does a WRITE" 1 "Input/output error" writes
	fails "$what:    and a READ" 1 "Input/output error" reads
	table "linear $disk 0"
	ok "$what: the disk works again: a WRITE" writes
	ok "$what:    is on the disk" cmp -n 65536 /tmp/data "$disk"
	ok "$what: a WRITE that can't wait" nowait

	dmsetup suspend --nolockfs below
	if [[ $what == extents ]]; then
		fails "$what: the disk stands still: a WRITE that can't wait doesn't" 1 "Resource temporarily unavailable" nowait
	fi
	writes &
	writer=$!
	sleep 1
	ok "$what: another one waits" kill -0 $writer
	dmsetup resume below
	status=0
	wait $writer || status=$?
	is $status 0 "$what:    and ends well when the disk goes on"
	# a bio that uses an extent isn't a request
	failed=2
	[[ $what != extents ]] || failed=0
	is "$(errors)" $failed "$what: no request has failed but these"
	del "$dev"
	dmsetup remove --retry below
done
null_disks_gone
finish
