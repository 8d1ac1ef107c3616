#!/usr/bin/env bash
# SPDX-License-Identifier: GPL-2.0
#
# Every request ends, whatever happens to the server: see tests/death-matrix/death.c.
#
# lab: --smp 4

. tests/guest/lib/guest.sh

run_program death
