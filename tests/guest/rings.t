#!/usr/bin/env bash
# SPDX-License-Identifier: GPL-2.0
#
# Every kind of ring that the kernel allows serves, and only the task that attached the ring can
# issue commands: see rings.c.

. tests/guest/lib/guest.sh

run_program rings
