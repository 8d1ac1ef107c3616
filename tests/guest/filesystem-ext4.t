#!/usr/bin/env bash
# SPDX-License-Identifier: GPL-2.0
#
# An ext4 file system keeps its files, a few thousand and mostly small, through umount, mount,
# changes and checks.

# shellcheck disable=SC2317 # functions are called by ok
UDEV=1 # as on a user's machine
. tests/guest/lib/guest.sh

load
many_files /tmp/tree

add --target mem --size 512M --queues 2
filesystem_works "ext4 on mem" /tmp/tree defaults mkfs.ext4 e2fsck -fn
del "$dev"

truncate -s 512M /tmp/file
add --target loop --file /tmp/file
filesystem_works "ext4 on loop" /tmp/tree discard mkfs.ext4 e2fsck -fn

finish
