#!/usr/bin/env bash
# SPDX-License-Identifier: GPL-2.0
#
# One process serves several devices through the library: see tests/unit/servers.c, which needs the
# driver.

. tests/guest/lib/guest.sh

run_program servers
