#!/bin/bash
# SPDX-License-Identifier: GPL-2.0
#
# Where a request's cost goes, from the host: boot the lab's counting clock, run guest.sh there,
# report. Needs the guest's folder (make guest). Leaves its results and nothing else.

set -euo pipefail
cd "$(dirname "$0")/../.."
. experiments/lib/host.sh stages

one_boot "How many instructions a request spends in each of its stages, in each transfer mode, as ubdx-trace sees it." \
	ubdx ubdx-trace -- "$@"
