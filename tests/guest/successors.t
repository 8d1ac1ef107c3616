#!/usr/bin/env bash
# SPDX-License-Identifier: GPL-2.0
#
# A server that was let go keeps nothing of its device: see successors.c.

. tests/guest/lib/guest.sh

run_program successors
