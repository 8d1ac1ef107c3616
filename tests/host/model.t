#!/usr/bin/env bash
# SPDX-License-Identifier: GPL-2.0
#
# No interleaving of the driver's threads breaks the ownership of a request: every state of
# tests/model/slot.pml is explored. Each of its mutants breaks a rule, and is found.

set -euo pipefail
cd "$(dirname "$0")/../.."

. tests/tap.sh

check() { lab/in tests/model/check "$@"; }

# found MUTANT: the check fails by an assertion, not for another reason.
found() {
	local status=0 report
	report=$(check "$1") || status=$?
	echo "$report"
	[[ $status == 1 && $report == *'assertion violated'* ]]
}

mapfile -t mutants < <(grep -oE '^#ifn?def MUTANT_\w+' tests/model/slot.pml | sed 's/.* //' | sort -u)

ok "no assertion of the model fails" check
ok "the model has mutants" test "${#mutants[@]}" -ge 10
for mutant in "${mutants[@]}"; do
	ok "$mutant is found" found "$mutant"
done
finish
