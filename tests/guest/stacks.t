#!/usr/bin/env bash
# SPDX-License-Identifier: GPL-2.0
#
# Partitions, LVM, dm-crypt, md, ext4, XFS, btrfs and swap work on devices with extents, and their
# reads and writes don't come to the server.

# lab: --timeout 600

# shellcheck disable=SC2317 # functions are called by ok
. tests/guest/lib/guest.sh

load
for module in xfs btrfs dm_mod dm_crypt dm_snapshot raid1; do
	if ! modprobe $module 2>/dev/null; then
		skip "stacks" "this kernel has no $module"
		finish
	fi
done

first=$(null_disk first 512 10000)
second=$(null_disk second 512 10000)
many_files /tmp/tree

value() { sed -n "s/^$2 //p" "/sys/block/$1/ubdx/extents"; }
# direct DEVICE: WRITEs have used extents. No WRITE, and no READ but the partition scan's, has come
# to the server.
direct() { [[ $(value "$1" write_hits) -gt 100 && $(value "$1" write_misses) == 0 && $(value "$1" read_misses) -lt 16 ]]; }

add_both() {
	add --target loop --file "$first" --direct --extents
	one=$name
	add --target loop --file "$second" --direct --extents
	two=$name
}

del_both() {
	ok "$1: both can be deleted" ubdx del "/dev/$one" "/dev/$two"
	for disk in first second; do
		blkdiscard -f "/dev/$disk"
	done
}

# ---- file systems and partitions ----

mkfs_xfs() { mkfs.xfs -f "$@"; }
mkfs_btrfs() { mkfs.btrfs -f "$@"; }
add --target loop --file "$first" --direct --extents
filesystem_works XFS /tmp/tree defaults mkfs_xfs xfs_repair -n
filesystem_works btrfs /tmp/tree defaults mkfs_btrfs btrfs check
ok "file systems: all went past the server" direct "$name"

printf 'size=100M\nsize=300M\n' | sfdisk -q "$dev"
until_ok 10 test -b "${dev}p2"
whole=$dev dev=${dev}p2
filesystem_works "ext4 on a partition" /tmp/tree defaults mkfs.ext4 e2fsck -fn
dd if=/dev/urandom of=/tmp/data bs=64k count=1 status=none
dd if=/tmp/data of="$dev" bs=64k oflag=direct status=none
start=$(<"/sys/block/$name/${dev#/dev/}/start")
ok "a partition's data is where the table says" cmp -n 65536 -i "$((start * 512)):0" "$first" /tmp/data
ok "partition: all went past the server" direct "$name"
dev=$whole
del "$dev"
blkdiscard -f "$first"

# ---- LVM ----

add_both
# There is no udev to wait for.
export DM_DISABLE_UDEV=1 LVM_SUPPRESS_FD_WARNINGS=1
{
	lvm pvcreate -qq "/dev/$one" "/dev/$two"
	lvm vgcreate -qq group "/dev/$one" "/dev/$two"
	lvm lvcreate -qq --type striped -i 2 -L 700M -n volume group
} </dev/null
dev=/dev/mapper/group-volume
filesystem_works "ext4 on LVM" /tmp/tree defaults mkfs.ext4 e2fsck -fn
lvm lvcreate -qq --ignoremonitoring -s -L 64M -n earlier group/volume
content_of() { mount -o ro "$1" /tmp/mnt && content /tmp/mnt && umount /tmp/mnt; }
before=$(content_of /dev/mapper/group-earlier)
mount "$dev" /tmp/mnt
rm -r /tmp/mnt/tree/small
umount /tmp/mnt
is "$(content_of /dev/mapper/group-earlier)" "$before" "a snapshot keeps what was there"
ok "LVM: all went past the server" direct "$one"
ok "LVM: on both devices" direct "$two"
lvm vgchange -qq --ignoremonitoring -an group
lvm vgremove -qq -f group
del_both LVM

# ---- dm-crypt ----

add_both
dmsetup create secret --table "0 $(blockdev --getsz "/dev/$one") crypt aes-xts-plain64 $(printf '5a%.0s' {1..64}) 0 /dev/$one 0 1 allow_discards"
dev=/dev/mapper/secret
filesystem_works "ext4 on dm-crypt" /tmp/tree defaults mkfs.ext4 e2fsck -fn
dd if=/tmp/data of=$dev bs=64k oflag=direct status=none
differs() { ! cmp -s -n 65536 "$1" "$2"; }
ok "what is on the disk is encrypted" differs /tmp/data "$first"
ok "dm-crypt: all went past the server" direct "$one"
dmsetup remove --retry secret
del_both dm-crypt

# ---- md ----

add_both
mdadm -q --create /dev/md0 --run --level 1 --raid-devices 2 --assume-clean "/dev/$one" "/dev/$two"
dev=/dev/md0
filesystem_works "ext4 on a mirror" /tmp/tree defaults mkfs.ext4 e2fsck -fn
mdadm -q /dev/md0 --fail "/dev/$one" --remove "/dev/$one"
filesystem_works "ext4 on one half" /tmp/tree defaults mkfs.ext4 e2fsck -fn
mdadm -q /dev/md0 --add "/dev/$one"
ok "the mirror is made whole" mdadm -q --wait /dev/md0
mdadm -q --stop /dev/md0
ok "md: all went past the server" direct "$one"
ok "md: on both devices" direct "$two"
del_both md

# ---- swap ----

add --target loop --file "$first" --direct --extents
mkswap "$dev" >/dev/null
swapon "$dev"
mkdir -p /sys/fs/cgroup/small
echo 32M >/sys/fs/cgroup/small/memory.max
# 96 MiB that a process keeps, in a cgroup of 32 MiB
kept() { bash -c 'echo $$ >/sys/fs/cgroup/small/cgroup.procs && head -c 96M /dev/zero | tail -c 96M | cksum'; }
is "$(kept)" "$(head -c 96M /dev/zero | cksum)" "a process gets back from swap what it had written"
ok "swap: pages went past the server" direct "$name"
swapoff "$dev"
rmdir /sys/fs/cgroup/small
del "$dev"

null_disks_gone
finish
