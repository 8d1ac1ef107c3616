# shellcheck shell=bash
# SPDX-License-Identifier: GPL-2.0
#
# Shared by tests/run, tests/exec and tests/mutants/run: which tests are wanted, and which machine
# a test needs. A test of the guest names its machine in its first comment: "# lab: OPTION..." are
# options of lab/vm, "# alone: REASON" asks for a new machine.

# wanted NAME [PATTERN...]: does NAME match one of the shell PATTERNs, or is there none?
wanted() {
	local pattern
	(($# > 1)) || return 0
	for pattern in "${@:2}"; do
		# shellcheck disable=SC2053 # it is a pattern
		[[ $1 == $pattern ]] && return 0
	done
	return 1
}

# machine_of NAME: the options of lab/vm for the test, except --timeout.
machine_of() { sed -n 's/^# lab: *//p' "tests/guest/$1.t" | sed -E 's/ *--timeout [0-9]+//'; }

# limit_of NAME: how many seconds the test may take.
limit_of() { sed -nE 's/^# lab:.*--timeout ([0-9]+).*/\1/p' "tests/guest/$1.t" | grep . || echo 300; }

# shares KIND:NAME: may other tests run in the same machine? On a debug kernel the lab looks for
# leaked memory when a machine ends. A leak fails the machine's last test; the report shows where
# the memory was allocated.
shares() {
	[[ $(machine_of "${1#*:}") =~ ^(--smp\ [0-9]+)?$ ]] && ! grep -q '^# alone: ' "tests/guest/${1#*:}.t"
}
