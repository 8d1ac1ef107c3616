#!/usr/bin/env bash
# SPDX-License-Identifier: GPL-2.0
#
# What a reader of the driver was suspicious of, see tests/raw/corners.c.

. tests/vm/lib.sh

run_program corners
