# shellcheck shell=bash
# SPDX-License-Identifier: GPL-2.0
#
# tap.sh: for tests in bash, which source this (in the guest through guest/lib/guest.sh), call ok,
# is, fails and skip, and end with `finish`. With FAIL_FAST in the environment a test ends at its
# first failure.

set -Eeuo pipefail

# If a command ends a test early, name the command.
trap '[[ $- != *e* ]] || echo "# ended at ${BASH_SOURCE[0]}, line $LINENO: $BASH_COMMAND" >&2' ERR

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

# ok WHAT CMD...: passes if CMD succeeds. CMD may be a function, which ends at its first error. If
# CMD fails, its output is shown. CMD runs in a subshell, so variables that it sets are lost.
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

# fails WHAT STATUS TEXT CMD...: passes if CMD exits with STATUS and its output contains TEXT, a
# shell pattern.
fails() {
	ok "$1" refused "${@:2}"
}

# refused STATUS TEXT CMD...: the same, for use in a function. It always fails if CMD reached its
# time limit (124), could not be run, or was killed (126 and more).
refused() {
	local want=$1 text=$2 status=0 output
	shift 2
	[[ $want =~ ^[0-9]+$ ]] || { echo "fails takes an exit status, not '$want'"; return 2; }
	output=$("$@" 2>&1) || status=$?
	echo "exit status $status, wanted $want and '$text'; it said: $output"
	# shellcheck disable=SC2053 # a pattern
	((want > 0 && want < 124 && status == want)) && [[ $output == *$text* ]]
}

# run_tap WHAT CMD...: each result of CMD, a program that prints TAP, is a result of this test. Two
# further results check that CMD's plan matches the number of its results and that its exit status
# matches the results, and that there are results.
run_tap() {
	local what=$1 line count=0 failed=0 plan='' status=0
	shift
	exec {tap_fd}< <(status=0; "$@" 2>&1 || status=$?; echo "exit status $status")
	while IFS= read -r line <&"$tap_fd"; do
		case $line in
		'ok '*)
			count=$((count + 1))
			ok "$what: ${line#* - }" true
			;;
		'not ok '*)
			count=$((count + 1)) failed=1
			ok "$what: ${line#* - }" false
			;;
		'1..'*) plan=${line#1..} ;;
		'exit status '*) status=${line##* } ;;
		*) echo "# ${line#\# }" ;;
		esac
	done
	exec {tap_fd}<&-
	is "plan $plan, exit status $status" "plan $count, exit status $failed" "$what: it came to its end"
	ok "$what: it printed results" test "$count" -gt 0
}

skip() {
	tap_count=$((tap_count + 1))
	echo "ok $tap_count - $1 # SKIP $2"
}

finish() {
	echo "1..$tap_count"
	exit $((tap_failed > 0))
}
