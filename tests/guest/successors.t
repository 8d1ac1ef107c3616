#!/usr/bin/env bash
# SPDX-License-Identifier: GPL-2.0
#
# A server that has lost its device can do nothing with it any more: see successors.c.

. tests/guest/lib/guest.sh

run_program successors
