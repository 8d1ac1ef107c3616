#!/usr/bin/env bash
# SPDX-License-Identifier: GPL-2.0
#
# When mode map's pages are in a window and when they are not, see tests/raw/windows.c.

. tests/vm/lib.sh

run_program windows
