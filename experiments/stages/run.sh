#!/bin/bash
# SPDX-License-Identifier: GPL-2.0
#
# The host's part of the stages, which show where a request's cost goes: boots the lab on the
# counting clock, runs guest.sh there, and reports. Needs the guest's folder (make guest). Leaves
# only its results, or build/stages.failed if a boot fails.

set -euo pipefail
cd "$(dirname "$0")/../.."
. experiments/lib/host.sh stages

one_boot "Measure how many instructions each stage of a request takes, in each transfer mode, with ubdx-trace." \
	ubdx ubdx-trace -- "$@"
