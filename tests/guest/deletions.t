#!/usr/bin/env bash
# SPDX-License-Identifier: GPL-2.0
#
# A forced deletion doesn't wait for calls that wait for a request: see deletions.c.

. tests/guest/lib/guest.sh

run_program deletions
