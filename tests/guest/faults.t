#!/usr/bin/env bash
# SPDX-License-Identifier: GPL-2.0
#
# Everything in the driver that can fail for lack of memory fails once, and the driver survives: see
# tests/guest/faults.c. This needs a debug kernel, which can inject failures.
#
# lab: --timeout 900 --append log_buf_len=64M

# shellcheck disable=SC2317 # functions are called by ok
. tests/guest/lib/guest.sh

# The list of calls that can fail is made from the names in the module. Each kind of name must still
# be found there.
while read -r pattern; do
	ok "calls of '$pattern' are found" grep -qE "^[^ ]+ [^ ]*$pattern" sites
done < <(tests/guest/lib/sites --patterns)
ok "there are such calls: $(wc -l <sites)" test "$(wc -l <sites)" -ge 20

if [[ $UBDX_KERNEL != *-debug ]]; then
	skip "each allocation fails once" "this kernel can't inject failures"
	load
	finish
fi

# Reports of failures are long, and the console is slow. The kernel's log still has them.
dmesg -n 2
insmod ubdx_fail.ko
run_tap faults bin/faults ubdx.ko /tmp/seen

# seen SITE CALLEE: was this call made to fail? After a tail call the caller is not in the trace,
# but the callee is.
seen() {
	if [[ $1 == tail ]]; then
		grep -q " $2\$" /tmp/seen
	else
		grep -q "^$1 " /tmp/seen
	fi
}
all_seen() {
	while read -r site callee; do seen "$site" "$callee" || return; done <sites
}
# The kernel counts allocations. If a cache is refilled in one attempt and not in the next, later
# calls get other numbers, and one of these calls may be missed. So try all calls again.
if ! all_seen; then
	run_tap "faults, once more" bin/faults ubdx.ko /tmp/more
	cat /tmp/more >>/tmp/seen
fi
rmmod ubdx_fail
dmesg -n 7

while read -r site callee; do
	ok "$callee, called by $site, was made to fail" seen "$site" "$callee"
done <sites
# ---- a request that is never answered (fail_io_timeout) ----

# lose N: drop the next N requests of the device.
lose() {
	local attr=/sys/kernel/debug/fail_io_timeout
	echo 1 >"$sys/io-timeout-fail"
	echo 100 >$attr/probability
	echo "$1" >$attr/times
}

read_fails_with() {
	local words
	words=$(LC_ALL=C dd if="$dev" of=/dev/null bs=4k count=1 iflag=direct 2>&1) && return 1
	[[ $words == *"$1"* ]] || { echo "$words"; return 1; }
}

waits() { [[ $(<"$sys/ubdx/state") == quiesced ]]; }

load
for mode in $(ubdx features --json | jq -r '.driver_xfer_modes[]'); do
	add --target null --size 1M --timeout 2 --xfer "$mode"
	lose 1
	ok "$mode: a request is lost: it ends in time" read_fails_with "timed out"
	ok "$mode: the server is declared dead, and exits" until_ok 10 no_process "$server"
	until_ok 10 gone "$dev"
	add --target null --size 1M --timeout 2 --xfer "$mode" --recovery reissue
	lose 1
	dd if="$dev" of=/dev/null bs=4k count=1 iflag=direct status=none &
	reader=$!
	ok "$mode: a device that recovers loses a request, and then its server" until_ok 20 waits
	ok "$mode: another server takes over" ubdx recover --target null "$dev"
	status=0
	wait $reader || status=$?
	is $status 0 "$mode: it gets the request, and answers it"
	del "$dev"
done
finish
