#!/usr/bin/env bash
# SPDX-License-Identifier: GPL-2.0
#
# The lab's promises for a run: exit statuses, output as it comes, results, the scan of the kernel's
# log, and an end that leaves nothing behind. Two runs can use the cache at once, and an interrupted
# builder doesn't damage it.

# shellcheck disable=SC2016 # it is for the guest's shell to expand
set -euo pipefail
cd "$(dirname "$0")/../.."

. tests/tap.sh

mkdir -p build
work=$(realpath "$(mktemp -d build/lab.XXXXXX)")
trap 'rm -rf "$work"' EXIT

# vm ARG...: the machine's output and status in $work.
vm() {
	local status=0
	lab/vm --log "$work/log" "$@" >"$work/stdout" 2>"$work/stderr" || status=$?
	echo "$status" >"$work/status"
}

# ends_with STATUS
ends_with() { [[ $(<"$work/status") == "$1" ]] || { cat "$work"/{status,stdout,stderr}; return 1; }; }

says() { grep -q -- "$1" "$work/stderr" || { cat "$work/stderr"; return 1; }; }

# QEMU itself, without the sandbox that started it; and the files of a run.
machines() { pgrep -f "^[^ ]*qemu-system-x86_64 .*probe=$$" || true; }
scratch_of() { ls -d /dev/shm/ubdx-vm."$1".* "${TMPDIR:-/tmp}"/ubdx-vm."$1".* 2>/dev/null || true; }

# ---- a run ----

start=$SECONDS
vm --out "$work/out" -- 'echo to stdout; echo to stderr >&2; echo result >$OUT/file; mkdir $OUT/folder; exit 7'
ok "the status is the command's" ends_with 7
# The time that a machine with nothing to do takes here.
readonly LEAST=$((SECONDS - start + 1))
ok "its output comes" grep -qx 'to stdout' "$work/stdout"
ok "results come back" test "$(cat "$work/out/file")" = result -a -d "$work/out/folder"
vm -- test 'two words' = 'two words'
ok "words are words" ends_with 0
vm -- 'udevadm settle; modprobe null_blk; udevadm settle; stat -c %G /dev/nullb0; mkdir /sys/fs/cgroup/a; cat /sys/fs/cgroup/a/memory.max'
ok "udev runs, and cgroups have their controllers" ends_with 0
is "$(tr '\n' ' ' <"$work/stdout")" "disk max " "   udev's rules were applied, and memory can be limited"

start=$SECONDS
lab/vm --log "$work/log" -- 'echo first; sleep 8' | {
	read -r line
	echo "$line $((SECONDS - start))" >"$work/early"
	cat >/dev/null
	echo $((SECONDS - start)) >>"$work/early"
}
first=$(awk '{ print $2; exit }' "$work/early") all=$(tail -n 1 "$work/early")
ok "output comes while the command runs: after $first s of $all" test "$first" -le $((all - 5))

vm --no-such-option
ok "an unknown option is one line and status 2" ends_with 2
ok "   which names it" says 'unknown option --no-such-option'
vm --kernel nonesuch -- true
ok "so is an unknown kernel" ends_with 2

# ---- ends ----

# long enough for the boot
readonly LIMIT=$((8 + 3 * LEAST))
start=$SECONDS
vm --timeout $LIMIT -- sleep 100000
ok "a time-out is 124" ends_with 124
ok "   and soon: after $((SECONDS - start)) s" test $((SECONDS - start)) -le $((4 * LIMIT))
ok "   with the console's last lines" says "last lines"

start=$SECONDS
vm -- 'echo c >/proc/sysrq-trigger; sleep 1000'
ok "a panic is 125" ends_with 125
ok "   and at once: after $((SECONDS - start)) s" test $((SECONDS - start)) -le $((8 + 3 * LEAST))
ok "   with its reason" says 'Kernel panic - not syncing: sysrq triggered crash'
vm -- 'echo "Oops: int3" >/dev/kmsg; echo c >/proc/sysrq-trigger; sleep 1000'
ok "a breakpoint that nobody set is QEMU's failure, 123" ends_with 123

vm -- 'echo "<4>WARNING: CPU: 0 PID: 1 at made/up.c:1" >/dev/kmsg; exit 3'
ok "a warning in the kernel's log is 126, whatever the command says" ends_with 126
ok "   with the line" says 'made/up.c'
vm --no-scan -- 'echo "<4>WARNING: CPU: 0 PID: 1 at made/up.c:1" >/dev/kmsg; exit 3'
ok "   unless --no-scan is given" ends_with 3

# interrupt SIGNAL: send a run the signal after its first line of output.
interrupt() {
	rm -f "$work/stdout"
	setsid lab/vm --append "probe=$$" --log "$work/log" -- 'echo up; sleep 1000' >"$work/stdout" 2>&1 &
	pid=$!
	while kill -0 $pid && ! grep -q up "$work/stdout" 2>/dev/null; do sleep 0.1; done
	# If none were found here, finding none later would prove nothing.
	found=$(machines | wc -l),$(scratch_of $pid | wc -l)
	kill -s "$1" -- -$pid
	status=0
	wait $pid || status=$?
}
no_machine() { [[ -z $(machines) ]]; }
no_machine_in() {
	local end=$((SECONDS + $1))
	until no_machine; do
		((SECONDS < end)) || return 1
		read -rt 0.1 <> <(:) || true
	done
}

interrupt TERM
is "$found" 1,1 "a run has a machine and a folder"
ok "SIGTERM ends it: $status" test "$status" = 143
ok "   no machine, no file is left" test -z "$(machines)$(scratch_of "$pid")"
interrupt KILL
is "$found" 1,1 "the next has, too"
ok "killed outright, it takes its machine along" no_machine_in $((8 + LEAST))
vm -- true
ok "   and the next run takes its files away" test -z "$(scratch_of '*' | grep -v "\.$$\." || true)"

# ---- the cache ----

# A cache with nothing but the root, so images are built.
root=$(lab/root)
new_cache() {
	rm -rf "$work/cache"
	mkdir "$work/cache"
	ln -s "$root" "$work/cache"
	export UBDX_CACHE=$work/cache
}

new_cache
setsid lab/vm --log "$work/log" -- true >/dev/null 2>"$work/stderr" &
pid=$!
while kill -0 $pid && ! compgen -G "$work/cache/tmp.*" >/dev/null; do sleep 0.05; done
kill -s INT -- -$pid
kill -s TERM -- -$pid
wait $pid || true
ok "a builder that is interrupted leaves no image" test -z "$(find "$work/cache" -name 'guest-*')"

for run in 1 2; do
	{ lab/vm --log "$work/log.$run" -- true 2>"$work/stderr.$run" && touch "$work/done.$run"; } &
done
wait
ok "two runs that need the same images: one" test -e "$work/done.1"
ok "   and the other" test -e "$work/done.2"
is "$(cat "$work"/stderr.[12] | grep -c '^lab: building')" 5 "   each part is built once"
ok "   and nothing half-made is left" test -z "$(find "$work/cache" -name '*tmp.*')"

finish
