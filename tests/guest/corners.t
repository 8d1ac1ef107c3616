#!/usr/bin/env bash
# SPDX-License-Identifier: GPL-2.0
#
# What a reader of the driver was suspicious of, see tests/guest/corners.c.

. tests/guest/lib/guest.sh

run_program corners
