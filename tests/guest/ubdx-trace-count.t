#!/usr/bin/env bash
# SPDX-License-Identifier: GPL-2.0
#
# lab: --clock count --timeout 600
#
# ubdx-trace on the counting clock: what it counts is as true there, and its unit is another.

exec tests/guest/ubdx-trace.t
