#!/usr/bin/env bash
# SPDX-License-Identifier: GPL-2.0
#
# lab: --clock count --timeout 600
#
# ubdx-trace on the counting clock: its counts are as true there, and its unit is instructions.

exec tests/guest/ubdx-trace.t
