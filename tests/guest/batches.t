#!/usr/bin/env bash
# SPDX-License-Identifier: GPL-2.0
#
# Requests are delivered and ended in batches, and no request is delayed for the benefit of another
# one: see batches.c.

. tests/guest/lib/guest.sh

mountpoint -q /sys/kernel/tracing || mount -t tracefs tracefs /sys/kernel/tracing
insmod ubdx_stall.ko
run_program batches
rmmod ubdx_stall
