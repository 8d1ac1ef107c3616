#!/usr/bin/env bash
# SPDX-License-Identifier: GPL-2.0
#
# One process serves several devices through the library: tests/unit/servers.c, where there is a driver.

. tests/guest/lib/guest.sh

run_program servers
