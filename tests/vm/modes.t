#!/usr/bin/env bash
# SPDX-License-Identifier: GPL-2.0
#
# What each transfer mode lets a server do to a request's payload, and what not, see tests/raw/modes.c.

set -euo pipefail
insmod ubdx.ko
modprobe null_blk memory_backed=1 gb=1
busybox ifconfig lo up
bin/modes
rmmod ubdx
