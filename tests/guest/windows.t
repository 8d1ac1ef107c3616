#!/usr/bin/env bash
# SPDX-License-Identifier: GPL-2.0
#
# When mode map's pages are in a window, and when they are not: see tests/guest/windows.c.

. tests/guest/lib/guest.sh

run_program windows
