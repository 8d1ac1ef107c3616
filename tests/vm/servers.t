#!/usr/bin/env bash
# SPDX-License-Identifier: GPL-2.0
#
# One process serves several devices through the library: userspace/tests/servers.c, where there is a driver.

. tests/vm/lib.sh

run_program servers
