#!/usr/bin/env bash
# SPDX-License-Identifier: GPL-2.0
#
# An XFS file system keeps its files, a few thousand and mostly small, through umount, mount,
# changes and checks.

# shellcheck disable=SC2317 # functions are called by ok
UDEV=1 # as on a user's machine
. tests/guest/lib/guest.sh

load
if ! modprobe xfs 2>/dev/null && ! grep -qw xfs /proc/filesystems; then
	skip "XFS keeps its files" "not in this kernel"
	finish
fi
many_files /tmp/tree

add --target mem --size 512M --queues 2
filesystem_works "XFS on mem" /tmp/tree defaults mkfs.xfs xfs_repair -n
del "$dev"

truncate -s 512M /tmp/file
add --target loop --file /tmp/file
filesystem_works "XFS on loop" /tmp/tree discard mkfs.xfs xfs_repair -n

finish
