#!/usr/bin/env bash
# SPDX-License-Identifier: GPL-2.0
#
# Nobody is shown a byte that isn't meant for him, see tests/guest/poison.c.
#
# The kernel is not to clear the memory that it gives out, so that what is in it by mistake can be seen.
#
# lab: --append init_on_alloc=0

. tests/guest/lib/guest.sh

run_program poison
