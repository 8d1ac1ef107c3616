#!/usr/bin/env bash
# SPDX-License-Identifier: GPL-2.0
#
# Requests are delivered and end in batches, and none waits for another one's sake, see tests/guest/batches.c.

. tests/guest/lib/guest.sh

mountpoint -q /sys/kernel/tracing || mount -t tracefs tracefs /sys/kernel/tracing
insmod ubdx_stall.ko
run_program batches
rmmod ubdx_stall
