# shellcheck shell=bash
# SPDX-License-Identifier: GPL-2.0
#
# lib.sh: what the guest's tests share: TAP, the module, a device that is gone after the test.
# A test sources this, and ends with `finish`. The working directory is /ubdx.

set -euo pipefail

tap_count=0 tap_failed=0

# ok WHAT CMD...: passes if CMD does; its output is shown where it doesn't.
ok() {
	local what=$1 output status=0
	shift
	output=$("$@" 2>&1) || status=$?
	tap_count=$((tap_count + 1))
	if ((status == 0)); then
		echo "ok $tap_count - $what"
	else
		tap_failed=$((tap_failed + 1))
		echo "not ok $tap_count - $what"
		sed 's/^/#   /' <<<"$*"
		[[ -z $output ]] || sed 's/^/#   /' <<<"$output"
	fi
}

# is GOT WANT WHAT
is() {
	ok "$3" test "$1" = "$2"
	[[ $1 == "$2" ]] || echo "#   got '$1', wanted '$2'"
}

skip() {
	tap_count=$((tap_count + 1))
	echo "ok $tap_count - $1 # SKIP $2"
}

finish() {
	echo "1..$tap_count"
	exit $((tap_failed > 0))
}

# until SECONDS CMD...: wait for CMD to succeed.
until_ok() {
	local end=$((SECONDS + $1))
	shift
	until "$@" 2>/dev/null; do
		((SECONDS < end)) || return 1
		read -rt 0.05 <> <(:) || true
	done
}

module_free() { [[ $(cat /sys/module/ubdx/refcnt) == 0 ]]; }

load() { insmod ubdx.ko "$@"; }
unload() { until_ok 10 module_free && rmmod ubdx; }

# fio_json ARGS...: run fio, fail with its own words if it fails.
run_fio() {
	fio --minimal --output=/dev/null --eta=never "$@"
}
