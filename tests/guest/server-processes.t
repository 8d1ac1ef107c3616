#!/usr/bin/env bash
# SPDX-License-Identifier: GPL-2.0
#
# A server that is several processes, has no main thread, or executes another program: see
# server-processes.c.

. tests/guest/lib/guest.sh

run_program server-processes
