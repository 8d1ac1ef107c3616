#!/usr/bin/env bash
# SPDX-License-Identifier: GPL-2.0
#
# Tests that share a machine are judged one by one. A test fails by name if it leaves something
# behind, makes the kernel log an error, kills the machine, hangs, or doesn't do what it planned;
# the tests before and after it don't.

set -euo pipefail
cd "$(dirname "$0")/../.."

. tests/tap.sh

# A tree with tests of its own, for the runner that is tested.
mkdir -p build
work=$(realpath "$(mktemp -d build/sharing.XXXXXX)")
trap 'rm -rf "$work"' EXIT
cp -r lab tests "$work"
rm "$work"/tests/guest/*.t

# a_test NAME LINE...: a test of these lines
a_test() {
	printf '%s\n' '#!/usr/bin/env bash' "${@:2}" >"$work/tests/guest/$1.t"
	chmod +x "$work/tests/guest/$1.t"
}

readonly GOOD='echo ok 1; echo 1..1'
a_test good "$GOOD"
a_test mounts 'mount -t tmpfs none /mnt' "$GOOD"
a_test serves 'setsid sleep 1000 >/dev/null 2>&1 &' "$GOOD"
a_test warns 'echo "<4>WARNING: CPU: 0 PID: 1 at made/up.c:1" >/dev/kmsg' "$GOOD"
# Output from just before a crash can get lost. So these tests wait before they crash.
a_test dies 'echo ok 1' 'sleep 2' 'echo c >/proc/sysrq-trigger' 'sleep 1000'
a_test tcg 'echo "Oops: int3" >/dev/kmsg' 'sleep 2' 'echo c >/proc/sysrq-trigger' 'sleep 1000'
a_test hangs '# lab: --timeout 5' 'echo ok 1' 'sleep 1000'
a_test fails 'echo not ok 1; echo 1..1; exit 1'
a_test lies 'echo ok 1; echo 1..2'
a_test tidy 'echo x >/tmp/file; echo 1 >/sys/kernel/rcu_expedited' "$GOOD"
a_test looks '[[ ! -e /tmp/file ]] && echo ok 1; echo 1..1'
mkdir -p "$work/build/guest-stable"
cp -r "$work/tests" "$work/build/guest-stable"
install -D "$work/lab/scan" "$work/build/guest-stable/lab/scan"

names=(good mounts serves warns dies tcg hangs fails lies tidy looks)
status=0
QUIET=1 env -u UBDX_TAP "$work/tests/exec" "${names[@]/#/stable:}" >"$work/said" 2>"$work/errors" || status=$?
sed 's/^/# /' "$work/said"
is "$status" 1 "a failed test makes the run fail"
is "$(awk '{ print $2 }' "$work/said" | paste -sd ' ')" "${names[*]/#/stable:}" "each test is run, once, in order"

# ends NAME WORDS
ends() { grep -qE "^$2" <(grep " stable:$1 " "$work/said"); }
ok "a good test passes" ends good 'ok .* 1 checks'
ok "a mount is left behind" ends mounts 'FAILED .* exit status 1$'
ok "a process is left behind" ends serves 'FAILED .* exit status 1$'
ok "the kernel logs a warning" ends warns 'FAILED .* exit status 126$'
ok "the machine dies" ends dies 'FAILED .* planned nothing, did 1 checks, exit status 125$'
ok "QEMU fails, twice" ends tcg 'FAILED .* exit status 123$'
ok "   the first failure is reported" grep -q '^QEMU failed in stable:tcg; once more' "$work/errors"
ok "a test hangs" ends hangs 'FAILED .* exit status 124$'
ok "a check fails" ends fails 'FAILED .* 1 of 1 checks failed, exit status 1$'
ok "a check is missing" ends lies 'FAILED .* planned 2, did 1 checks$'
ok "files and shortened grace periods may be left" ends tidy 'ok .* 1 checks'
ok "   the next test doesn't see them" ends looks 'ok .* 1 checks'
finish
