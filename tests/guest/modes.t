#!/usr/bin/env bash
# SPDX-License-Identifier: GPL-2.0
#
# What each transfer mode lets a server do to a request's payload, and what it doesn't: see
# tests/guest/modes.c.

. tests/guest/lib/guest.sh

# Two null_blk devices: one is used directly. The other has a file system, because the guest's root
# has no direct I/O.
modprobe null_blk memory_backed=1 gb=1 nr_devices=2
mkfs.ext4 -q /dev/nullb1
mkdir -p /tmp/mnt
mount /dev/nullb1 /tmp/mnt
busybox ifconfig lo up
run_program modes /tmp/mnt/direct
umount /tmp/mnt
