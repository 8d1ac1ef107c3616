#!/usr/bin/env bash
# SPDX-License-Identifier: GPL-2.0
#
# An open device can be deleted in good order, at its last close, or by force: see stops.c.

. tests/guest/lib/guest.sh

run_program stops
