#!/usr/bin/env bash
# SPDX-License-Identifier: GPL-2.0
#
# No process sees a byte that is not meant for it: see tests/guest/poison.c.
#
# The kernel must not clear the memory that it allocates: only then does a leak show old content.
#
# lab: --append init_on_alloc=0

. tests/guest/lib/guest.sh

run_program poison
