# shellcheck shell=bash
# SPDX-License-Identifier: GPL-2.0
#
# tap.sh: tests written in bash source this (by way of vm/lib.sh in the guest), say ok, is, fails and skip, and end with `finish`;
# with FAIL_FAST in the environment at the first failure.

set -euo pipefail

tap_count=0 tap_failed=0

tap_result() {
	local status=$1 what=$2 output=$3
	tap_count=$((tap_count + 1))
	if ((status == 0)); then
		echo "ok $tap_count - $what"
		return
	fi
	tap_failed=$((tap_failed + 1))
	echo "not ok $tap_count - $what"
	printf '#   %s\n' "${output//$'\n'/$'\n#   '}"
	[[ -z ${FAIL_FAST:-} ]] || { echo "1..$tap_count"; exit 1; }
}

# ok WHAT CMD...: passes if CMD does, which may be a function and then ends at the first error in it. What CMD prints is
# shown if it fails. It runs in a subshell: what it sets is lost.
ok() {
	local what=$1 output status
	shift
	set +e
	output=$(set -e; "$@" 2>&1)
	status=$?
	set -e
	tap_result "$status" "$what" "$(printf '%s\n' "$*: exit status $status" "$output")"
}

# is GOT WANT WHAT
is() {
	local status=0
	[[ $1 == "$2" ]] || status=1
	tap_result "$status" "$3" "got '$1', wanted '$2'"
}

# fails WHAT CMD...: passes if CMD doesn't.
fails() {
	local what=$1
	shift
	ok "$what" refused "$@"
}

refused() {
	local status=0
	"$@" || status=$?
	((status != 0 && status < 126))
}

skip() {
	tap_count=$((tap_count + 1))
	echo "ok $tap_count - $1 # SKIP $2"
}

finish() {
	echo "1..$tap_count"
	exit $((tap_failed > 0))
}
