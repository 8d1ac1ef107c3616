#!/usr/bin/env bash
# SPDX-License-Identifier: GPL-2.0
#
# What a reader of the driver was suspicious of, see tests/raw/corners.c.

set -euo pipefail
insmod ubdx.ko
bin/corners
rmmod ubdx
