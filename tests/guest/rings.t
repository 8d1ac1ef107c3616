#!/usr/bin/env bash
# SPDX-License-Identifier: GPL-2.0
#
# A ring of any kind serves, and only the task that attached it issues commands: see rings.c.

. tests/guest/lib/guest.sh

run_program rings
