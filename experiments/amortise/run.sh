#!/bin/bash
# SPDX-License-Identifier: GPL-2.0
#
# What sharing zaps does to cost, from the host: boot the lab's counting clock, run guest.sh there, report. Needs the guest's folder
# (make guest). Leaves its results and nothing else.

set -euo pipefail
cd "$(dirname "$0")/../.."
. experiments/lib/host.sh amortise

one_boot "What a request whose payload is looked at costs in mode map, in instructions, as more requests share a zap (map_batch)." \
	ubdx stamp -- "$@"
