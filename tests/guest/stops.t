#!/usr/bin/env bash
# SPDX-License-Identifier: GPL-2.0
#
# A device that is open can be deleted in good order, at its last close, or by force, see tests/guest/stops.c.

. tests/guest/lib/guest.sh

run_program stops
