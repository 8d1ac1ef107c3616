#!/usr/bin/env bash
# SPDX-License-Identifier: GPL-2.0
#
# death-matrix.t [OPTION...]: each way to die at each stage of a request's life, in each transfer
# mode. tests/death-matrix/matrix.c has the options.
#
# lab: --smp 4 --timeout 600

. tests/guest/lib/guest.sh

# Adding and deleting a device waits for grace periods.
echo 1 >/sys/kernel/rcu_expedited
exec bin/death-matrix ubdx.ko ubdx_pause.ko "$@"
