#!/usr/bin/env bash
# SPDX-License-Identifier: GPL-2.0
#
# What each transfer mode lets a server do to a request's payload, and what not, see tests/guest/modes.c.

. tests/guest/lib/guest.sh

# One as it is, one below a file system with direct I/O, which that of the guest's root doesn't have.
modprobe null_blk memory_backed=1 gb=1 nr_devices=2
mkfs.ext4 -q /dev/nullb1
mkdir -p /tmp/mnt
mount /dev/nullb1 /tmp/mnt
busybox ifconfig lo up
run_program modes /tmp/mnt/direct
umount /tmp/mnt
