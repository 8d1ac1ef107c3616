#!/usr/bin/env bash
# SPDX-License-Identifier: GPL-2.0
#
# Every request ends, whatever becomes of the server, see tests/raw/death.c.

. tests/vm/lib.sh

run_program death
